"""From the caller's last sound to the agent's first, nobody waits for Temporal: seen on running turns, and read in the code."""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

import media_gateway
from media_gateway.ports import WorkflowLink
from media_gateway.workflow_link import TemporalLink
from tests.gateway.conftest import Gateway, Line
from workflows.contracts.payloads import TurnCompleted, TurnRecord, TurnTimings

HAND_OVERS = {"turn_completed", "media_lost"}
"""All that a session may ask of the link while it lives: plain functions, nothing to await."""
ASYNC_METHODS = sorted(
    name for name, method in vars(WorkflowLink).items() if inspect.iscoroutinefunction(method)
)
OFF_THE_PATH = (
    "workflow_link",
    "signals",
    "directives",
    "outbox",
    "webhooks",
    "media_socket",
    "app",
)
"""What speaks to the workflows before a stream's first word, after its last, or on tasks of its own."""
FOLDER = Path(media_gateway.__file__).parent


# --- running turns ---------------------------------------------------------------------------


async def _two_turns(gateway: Gateway, line: Line) -> list[TurnRecord]:
    """The caller answers twice and hears both answers; what was said and decided, without the times."""
    await line.agent_done()
    for words in ("yes sure", "yes we own it"):
        gateway.recogniser.words.append(words)
        told = len(gateway.link.told)
        line.speak(300)
        await gateway.link.until_turns(told + 1)
        await line.agent_done()
    assert len(gateway.link.told) == 3, "the opening and two answers"
    return [replace(turn, timings=TurnTimings()) for turn in gateway.link.turns]


def _prepare(gateway: Gateway) -> None:
    gateway.dialogue.replies += [
        ("permission_given", {}, ["Thank you."]),
        ("owns", {"is_homeowner": "yes"}, ["Good."]),
    ]


def _are_as_always(turns: list[TurnRecord]) -> None:
    assert [turn.stage for turn in turns] == ["permission", "homeowner", "roof"]
    assert turns[1].heard_words == "Thank you. Do you own the house you live in?"
    assert turns[2].saying.startswith("Good.")
    assert not any(turn.refusal or turn.interrupted for turn in turns)


class Unreachable:
    """Temporal's service as a client sees it when nothing comes back, or only errors. Notes which task waits for it."""

    def __init__(self, how: str) -> None:
        self._how = how
        self.waiters: list[str] = []

    def __getattr__(self, rpc: str) -> Any:
        async def call(*_: object, **__: object) -> None:
            task = asyncio.current_task()
            self.waiters.append(task.get_name() if task else "")
            if self._how == "raises":
                raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
            await asyncio.Event().wait()

        return call


@pytest.fixture(params=["hangs", "raises"])
async def unreachable(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[TemporalLink, Unreachable]]:
    """The real link with its outbox on disk, on a service that never answers well."""
    service = Unreachable(request.param)
    client = await Client.connect("127.0.0.1:9", lazy=True)
    monkeypatch.setattr(Client, "workflow_service", service)
    link = await TemporalLink.open(client, tmp_path / "outbox.db")
    yield link, service
    await link.close(within_s=0)


async def test_turns_go_on_unchanged_when_every_call_to_temporal_fails_or_never_returns(
    gateway: Gateway,
    unreachable: tuple[TemporalLink, Unreachable],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link, service = unreachable
    _prepare(gateway)
    keep_in_the_book = gateway.link.turn_completed

    def hand_over(call_id: str, turn: TurnCompleted) -> None:
        keep_in_the_book(call_id, turn)
        link.turn_completed(call_id, turn)

    line = await gateway.stream()
    await gateway.link.until_turns(1)  # it is attached, and its first words are out
    monkeypatch.setattr(gateway.link, "turn_completed", hand_over)
    for name in ASYNC_METHODS:
        monkeypatch.setattr(gateway.link, name, getattr(link, name))

    _are_as_always(await _two_turns(gateway, line))

    assert link.depth >= 2, "nothing was acknowledged"
    assert service.waiters, "it was tried"
    assert set(service.waiters) == {"outbox call-1"}, "and nobody but the outbox waited"
    await line.hang_up()


async def test_between_attach_and_the_end_a_session_asks_nothing_of_the_link_that_can_be_awaited(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    _prepare(gateway)
    line = await gateway.stream()
    await gateway.link.until_turns(1)
    asked: list[str] = []
    for name in ASYNC_METHODS:

        async def never(*_: object, name: str = name, **__: object) -> None:
            asked.append(name)
            await asyncio.Event().wait()

        monkeypatch.setattr(gateway.link, name, never)

    _are_as_always(await _two_turns(gateway, line))

    assert asked == []
    monkeypatch.undo()
    await line.hang_up()


# --- the code --------------------------------------------------------------------------------


def _modules_on_the_path() -> list[Path]:
    """All of the gateway but what is named above: a new module is on the path until somebody says otherwise."""
    return [
        path
        for path in sorted(FOLDER.rglob("*.py"))
        if path.relative_to(FOLDER).with_suffix("").parts[0] not in OFF_THE_PATH
    ]


def _uses_of_the_link(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """Function, method and line of every use of an attribute `link` or `_link`; method "" where it is no plain call."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and node.attr in ("link", "_link")):
            continue
        method = parents[node]
        call = parents[method]
        is_call = isinstance(method, ast.Attribute) and isinstance(call, ast.Call)
        function: ast.AST = node
        while not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            function = parents[function]
        name = method.attr if isinstance(method, ast.Attribute) and is_call else ""
        yield getattr(function, "name", ""), name, node.lineno


def test_what_a_session_may_ask_of_the_link_is_not_awaitable() -> None:
    assert not HAND_OVERS & set(ASYNC_METHODS)
    assert set(dir(WorkflowLink)) >= HAND_OVERS


def test_the_spoken_path_only_hands_over() -> None:
    used = {
        (path.relative_to(FOLDER).as_posix(), function, method)
        for path in _modules_on_the_path()
        for function, method, _ in _uses_of_the_link(ast.parse(path.read_text(encoding="utf-8")))
    }
    # The one wait is at a stream's end, when the caller is gone and the process may be about to go.
    wait = ("session.py", "_end", "flush")
    given = {("session.py", "__init__", ""), ("call_record.py", "__init__", "")}
    assert used >= {wait, *given}
    others = used - {wait, *given}
    assert {path for path, _, _ in others} == {"call_record.py"}
    assert {method for _, _, method in others} == HAND_OVERS


def test_the_spoken_path_knows_neither_temporal_nor_the_outbox() -> None:
    forbidden = ("temporalio", *(f"media_gateway.{name}" for name in OFF_THE_PATH))
    for path in _modules_on_the_path():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = [
            name
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        ]
        assert not [
            name
            for name in imported
            if any(name == one or name.startswith(one + ".") for one in forbidden)
        ], path.name
