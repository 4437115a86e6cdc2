"""What a model's client may do besides what its protocol says: no turn is lost to it, and none hangs on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from callspine.settings import Settings
from media_gateway.dialogue import BamlDialogue
from media_gateway.errors import NoUsableReply
from media_gateway.llm.contest import Contest
from media_gateway.llm.events import Frame, Progress, read_anthropic, read_bedrock, read_openai
from media_gateway.llm.failures import CompletionFailed, FailureKind
from media_gateway.llm.health import ClientHealth
from media_gateway.ports import ClientUsage, ReplyTrace
from media_gateway.reply_reader import ReplyReader
from media_gateway.turns.types import TurnPolicy
from tests.simulators.llm import KEY, REGION, Dialect, Fault, Step, answers, model_vendor
from tests.vendors.test_llm_clients import (
    PARTS,
    REPLY,
    client_of,
    dialogue,
    every_dialect,
    has_aws,
    parts_of,
)
from tests.vendors.test_llm_contest import outcomes

WELL = answers(REPLY)


# --- the stream ----------------------------------------------------------------------------------


@every_dialect
@pytest.mark.parametrize("after", [0, 1])
async def test_an_answer_that_ends_in_half_an_event_is_followed_by_the_next_clients(
    dialect: Dialect, after: int
) -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(dialect, answers(REPLY, fault=Fault.HALF, after=after)) as torn,
        model_vendor(Dialect.OPENAI, WELL) as spare,
        dialogue(torn, spare) as made,
    ):
        assert await parts_of(made, trace) == PARTS
    assert outcomes(trace) == [("first", "failed"), ("second", "used")]
    assert trace.clients[0].failure == "malformed"


@pytest.mark.parametrize("read", [read_openai, read_anthropic, read_bedrock])
@pytest.mark.parametrize("data", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, '"\\ud800"', ""])
def test_an_event_that_no_parser_can_bear_is_a_malformed_one(read: Any, data: str) -> None:
    with pytest.raises(CompletionFailed) as refused:
        read(Frame(event="contentBlockDelta", data=data))
    assert refused.value.failure.kind is FailureKind.MALFORMED


@pytest.mark.parametrize(
    "choice",
    [
        {
            "index": 0,
            "finish_reason": None,
            "content_filter_results": {},
            "content_filter_offsets": {"check_offset": 44, "start_offset": 44, "end_offset": 198},
        },
        {"index": 0, "delta": None, "finish_reason": "stop"},
    ],
)
def test_a_choice_without_a_delta_adds_nothing(choice: dict[str, Any]) -> None:
    """Azure's asynchronous content filter annotates what was written with such events, in the middle of an answer."""
    frame = Frame(event="message", data=json.dumps({"choices": [choice], "usage": None}))
    assert read_openai(frame) == Progress()


def test_slots_that_are_nested_to_any_depth_are_refused_and_break_nothing() -> None:
    """Python's own limit depends on how deep the reader was called: all depths about it are tried."""
    for depth in [*range(1, 40), *range(700, 1300)]:
        text = f'{{"s":{{"a":{"[" * depth}{"]" * depth}}},"bye":"Bye now."}}'
        reader = ReplyReader({"bye": "goodbye"})
        try:
            reader.read(text)
            reader.finish(text)
        except NoUsableReply:
            pass


# --- before the stream ---------------------------------------------------------------------------


class Signer:
    """Stands in for one that fetches a role's credentials."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def sign(self, url: str, headers: Mapping[str, str], body: str) -> dict[str, str]:
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()
        return {}


def signed_by(made: BamlDialogue, name: str, signer: Signer) -> None:
    made._wires[name] = replace(made._wires[name], signer=signer)


async def test_credentials_that_never_come_cost_a_turn_no_more_than_its_deadline() -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(Dialect.OPENAI) as vendor,
        dialogue(vendor, first_token_timeout_s=0.3) as made,
    ):
        signed_by(made, "first", Signer())
        async with asyncio.timeout(5):
            with pytest.raises(NoUsableReply) as refused:
                await parts_of(made, trace)
    assert refused.value.reason == "timeout"
    assert [usage.failure for usage in trace.clients] == ["silent"]


async def test_a_request_that_cannot_be_made_is_the_next_clients() -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(Dialect.OPENAI) as odd,
        model_vendor(Dialect.OPENAI, WELL) as spare,
        dialogue(odd, spare) as made,
    ):
        signed_by(made, "first", Signer(LookupError("nobody thought of this")))
        assert await parts_of(made, trace) == PARTS
    assert outcomes(trace) == [("first", "failed"), ("second", "used")]


@has_aws
async def test_a_role_that_may_not_be_assumed_is_a_refused_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from botocore.exceptions import ClientError
    from botocore.session import Session

    def refused(self: Session) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole")

    monkeypatch.setattr(Session, "get_credentials", refused)
    trace = ReplyTrace()
    async with (
        model_vendor(Dialect.BEDROCK) as aws,
        model_vendor(Dialect.OPENAI, WELL) as spare,
        httpx.AsyncClient() as http,
    ):
        role = replace(client_of(aws, "role"), api_key="", region=REGION)
        made = BamlDialogue([role, replace(client_of(spare, "spare"), api_key=KEY)], http=http)
        assert await parts_of(made, trace) == PARTS
    assert trace.clients[0].failure == "key"


# --- the contest ---------------------------------------------------------------------------------


async def test_a_loser_whose_first_token_came_in_the_same_moment_is_cut_off_at_once() -> None:
    """It would write its whole answer, unread and paid for, until the winner has ended."""
    both, closed = asyncio.Event(), asyncio.Event()
    left: list[str] = []

    async def tokens(name: str) -> AsyncGenerator[str, None]:
        try:
            await both.wait()
            while True:
                yield "token"
        finally:
            left.append(name)
            closed.set()

    async def ask(usage: ClientUsage) -> AsyncGenerator[str, None]:
        return tokens(usage.client)

    trace = ReplyTrace()
    contest = Contest(
        ask,
        chosen="one",
        health=ClientHealth(["one", "two"]),
        trace=trace,
        deadline_s=asyncio.get_running_loop().time() + 10,
        hedge_after_s=0.01,
    )
    winning = asyncio.create_task(contest.winner())
    while len(trace.clients) < 2:
        await asyncio.sleep(0.005)
    both.set()
    winner = await winning
    async with asyncio.timeout(5):
        await closed.wait()
    loser = next(usage.client for usage in trace.clients if usage is not winner.usage)
    assert left == [loser], "cut off while the winner still writes"
    assert await winner.rest() == "token"
    await contest.aclose()
    assert sorted(left) == ["one", "two"]


async def test_a_head_that_comes_and_nothing_else_is_a_silent_stream() -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(Dialect.OPENAI, Step(text="{", fault=Fault.STALL)) as silent,
        dialogue(silent, first_token_timeout_s=0.3) as made,
    ):
        with pytest.raises(NoUsableReply) as refused:
            await parts_of(made, trace)
        await asyncio.wait_for(silent.left.wait(), 5)
    assert refused.value.reason == "timeout"


# --- the caller ----------------------------------------------------------------------------------

LONGEST_SILENCE_MS = 3000
SHORTEST_FILLER_MS = 600
""" "Let me see.", said fast."""
ON_THE_WAY_MS = 200
"""From an authored line's command to its first sound at the caller's ear: its audio is there."""


def test_with_the_shipped_deadlines_no_silence_lasts_three_seconds_whatever_a_model_does() -> None:
    """The worst one gives a first token in time and then drips: only the fallback's deadline ends that."""
    policy, ours = TurnPolicy(), Settings(_env_file=None)
    assert (ours.filler_after_ms, ours.fallback_after_ms) == (
        policy.filler_after_ms,
        policy.fallback_after_ms,
    )
    before_filler = policy.end_pause_ms + policy.filler_after_ms + ON_THE_WAY_MS
    behind_filler = (
        policy.fallback_after_ms + ON_THE_WAY_MS - policy.filler_after_ms - SHORTEST_FILLER_MS
    )
    assert before_filler < LONGEST_SILENCE_MS
    assert behind_filler < LONGEST_SILENCE_MS
    assert ours.llm_first_token_timeout_s * 1000 <= policy.fallback_after_ms
    assert ours.llm_idle_timeout_s * 1000 <= LONGEST_SILENCE_MS, "words of his own come before it"
