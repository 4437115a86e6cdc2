"""Several clients for one turn: who is asked, who wins, who is cancelled, and what it cost."""

from __future__ import annotations

import asyncio
import socket
from contextlib import aclosing
from dataclasses import replace

import httpx
import pytest

from media_gateway.dialogue import BamlDialogue
from media_gateway.errors import NoUsableReply
from media_gateway.llm.client import LlmClient, Provider
from media_gateway.llm.failures import Failure, FailureKind, named, refusal
from media_gateway.llm.health import ClientHealth
from media_gateway.ports import ReplyTrace
from tests.simulators.llm import Dialect, Fault, Step, answers, model_vendor
from tests.vendors.test_llm_clients import PARTS, REPLY, REQUEST, client_of, dialogue, parts_of

SILENT = answers(REPLY, fault=Fault.STALL)
WELL = answers(REPLY)


def outcomes(trace: ReplyTrace) -> list[tuple[str, str]]:
    return [(usage.client, usage.outcome) for usage in trace.clients]


async def test_a_second_client_is_asked_when_the_first_is_slow_and_the_loser_is_cut_off() -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(Dialect.OPENAI, SILENT) as slow,
        model_vendor(Dialect.ANTHROPIC, WELL) as spare,
        dialogue(slow, spare, hedge_after_s=0.1) as made,
    ):
        assert await parts_of(made, trace) == PARTS
        await asyncio.wait_for(slow.left.wait(), 5)
    assert outcomes(trace) == [("first", "lost"), ("second", "used")]
    assert trace.clients[0].prompt_tokens > 100, "the loser's prompt is paid for, too"


async def test_the_loser_is_cut_off_while_the_winner_still_writes() -> None:
    stalls = answers(REPLY, fault=Fault.STALL, after=13)
    async with (
        model_vendor(Dialect.OPENAI, SILENT) as slow,
        model_vendor(Dialect.OPENAI, stalls) as spare,
        dialogue(slow, spare, hedge_after_s=0.1, idle_timeout_s=20.0) as made,
        aclosing(made.reply(REQUEST)) as parts,
    ):
        assert await anext(parts) == PARTS[0]
        await asyncio.wait_for(slow.left.wait(), 2)  # long before its own deadline
        assert not spare.left.is_set()


async def test_a_client_that_is_in_time_is_asked_alone() -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(Dialect.OPENAI, WELL) as first,
        model_vendor(Dialect.OPENAI) as spare,
        dialogue(first, spare, hedge_after_s=5.0) as made,
    ):
        assert await parts_of(made, trace) == PARTS
    assert outcomes(trace) == [("first", "used")]
    assert not spare.asked


async def test_the_slow_one_wins_when_the_second_is_slower() -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(Dialect.OPENAI, replace(WELL, first_after_s=0.4)) as first,
        model_vendor(Dialect.OPENAI, SILENT) as second,
        dialogue(first, second, hedge_after_s=0.1) as made,
    ):
        assert await parts_of(made, trace) == PARTS
        await asyncio.wait_for(second.left.wait(), 5)
    assert outcomes(trace) == [("first", "used"), ("second", "lost")]


@pytest.mark.parametrize(
    "step",
    [
        Step(status=401),
        Step(status=429, headers={"retry-after": "60"}),
        Step(status=500),
        Step(status=529),
        answers(REPLY, fault=Fault.CUT, after=1),
        answers(REPLY, fault=Fault.BROKEN, after=1),
        answers(REPLY, fault=Fault.ERROR, after=1),
        Step(text="no JSON"),
    ],
)
async def test_a_client_that_fails_is_followed_by_the_next_at_once(step: Step) -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(Dialect.ANTHROPIC, step) as broken,
        model_vendor(Dialect.AZURE, WELL) as spare,
        dialogue(broken, spare) as made,
    ):
        assert await parts_of(made, trace) == PARTS
    assert outcomes(trace) == [("first", "failed"), ("second", "used")]


async def test_a_client_that_nobody_listens_for_is_followed_by_the_next() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # never listens: refused
        nobody = LlmClient(
            name="nobody",
            provider=Provider.OPENAI,
            model="m",
            api_key="k",
            base_url=f"http://127.0.0.1:{closed.getsockname()[1]}/v1",
        )
        async with (
            model_vendor(Dialect.OPENAI, WELL, WELL) as spare,
            httpx.AsyncClient() as http,
        ):
            made = BamlDialogue([nobody, client_of(spare, "spare")], http=http)
            first, second = ReplyTrace(), ReplyTrace()
            assert await parts_of(made, first) == PARTS
            assert await parts_of(made, second) == PARTS
    assert outcomes(first) == [("nobody", "failed"), ("spare", "used")]
    assert outcomes(second) == [("spare", "used")], "one that is away is not asked first again"


async def test_a_winner_that_breaks_off_unheard_is_followed_by_the_loser() -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(Dialect.OPENAI, SILENT, WELL) as slow,
        model_vendor(Dialect.OPENAI, answers(REPLY, fault=Fault.CUT, after=1)) as hasty,
        dialogue(slow, hasty, hedge_after_s=0.1) as made,
    ):
        assert await parts_of(made, trace) == PARTS
    assert outcomes(trace) == [("first", "lost"), ("second", "failed"), ("first", "used")]


async def test_nobody_is_asked_after_the_turns_deadline() -> None:
    trace = ReplyTrace()
    late = {"first_token_timeout_s": 0.3, "idle_timeout_s": 0.5}
    stalls = answers(REPLY, fault=Fault.STALL, after=1)
    async with (
        model_vendor(Dialect.OPENAI, stalls) as first,
        model_vendor(Dialect.OPENAI) as second,
        dialogue(first, second, **late) as made,
    ):
        with pytest.raises(NoUsableReply) as refused:
            await parts_of(made, trace)
    assert refused.value.reason == "timeout"
    assert outcomes(trace) == [("first", "failed")]


async def test_a_refused_move_is_the_models_answer_and_nobody_else_is_asked() -> None:
    trace = ReplyTrace()
    async with (
        model_vendor(
            Dialect.OPENAI, answers({"agrees_to_visit": "You are booked, then."})
        ) as first,
        model_vendor(Dialect.OPENAI) as second,
        dialogue(first, second) as made,
    ):
        with pytest.raises(NoUsableReply) as refused:
            await parts_of(made, trace)
    assert (refused.value.reason, refused.value.proposed_move) == ("move", "agrees_to_visit")


async def test_a_turn_may_choose_its_client_and_what_was_prepared_serves_for_all() -> None:
    async with (
        model_vendor(Dialect.OPENAI, WELL) as fast,
        model_vendor(Dialect.ANTHROPIC, WELL) as strong,
        dialogue(fast, strong, prepares=("first", "second")) as made,
    ):
        prepared = await made.prepare(replace(REQUEST, caller_words=""))
        for name in ("second", "first"):
            request = replace(REQUEST, client=name)
            assert prepared.fits(request)
            assert [part async for part in made.reply(request, None, prepared)] == PARTS
            assert [len(fast.asked), len(strong.asked)] == [int(name == "first"), 1]


async def test_a_reply_that_is_left_during_a_contest_cuts_both_off() -> None:
    async with (
        model_vendor(Dialect.OPENAI, SILENT) as first,
        model_vendor(Dialect.OPENAI, SILENT) as second,
        dialogue(first, second, hedge_after_s=0.05) as made,
    ):
        task = asyncio.create_task(parts_of(made))
        while not second.asked:
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait_for(first.left.wait(), 5)
        await asyncio.wait_for(second.left.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await task


def test_a_client_that_failed_comes_last_until_its_rest_is_over() -> None:
    health = ClientHealth(["a", "b", "c"])
    assert health.order("b", 0.0) == ["b", "a", "c"]
    assert health.order("unknown", 0.0) == ["a", "b", "c"]
    health.failed("a", Failure(kind=FailureKind.RATE, retry_after_s=7.0), 0.0)
    assert health.order("a", 6.9) == ["b", "c", "a"]
    assert health.order("a", 7.0) == ["a", "b", "c"]
    health.failed("a", Failure(kind=FailureKind.KEY), 7.0)
    health.answered("a")
    assert health.order("", 8.0) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("headers", "asked_s"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        (
            {
                "date": "Sun, 22 Nov 2026 10:00:00 GMT",
                "retry-after": "Sun, 22 Nov 2026 10:00:20 GMT",
            },
            20.0,
        ),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:20 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_a_vendor_asks_to_be_left_alone(
    headers: dict[str, str], asked_s: float | None
) -> None:
    assert refusal(429, headers) == Failure(kind=FailureKind.RATE, retry_after_s=asked_s)


def test_errors_within_a_stream_are_sorted_by_their_names() -> None:
    assert named("overloaded_error").kind is FailureKind.SERVER
    assert named("rate_limit_error").kind is FailureKind.RATE
    assert named("throttlingException").kind is FailureKind.RATE
    assert named("authentication_error").kind is FailureKind.KEY
    assert named("validationException").kind is FailureKind.REQUEST
