"""Each vendor's client against its simulated endpoint: well answered, badly answered, left in the middle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from importlib.util import find_spec
from typing import Any

import httpx
import pytest

from media_gateway.dialogue import BamlDialogue
from media_gateway.errors import NoUsableReply
from media_gateway.llm.client import LlmClient, Provider
from media_gateway.ports import MoveChosen, ReplyPart, ReplyRequest, ReplyTrace, WordsWritten
from tests.core.scripts import SAMPLE, move, run
from tests.simulators.llm import (
    ACCESS_KEY,
    KEY,
    PROMPT_TOKENS,
    REGION,
    SECRET_KEY,
    Dialect,
    Fault,
    ModelVendor,
    Step,
    answers,
    model_vendor,
)

REQUEST = ReplyRequest(
    script=SAMPLE,
    state=run(SAMPLE, move("permission_given"), move("owns", is_homeowner="yes")),
    caller_words="It is metal.",
)
REPLY = {"s": {"roof_type": "metal"}, "roof": "Metal is good. It lasts for long."}
PARTS: list[ReplyPart] = [
    MoveChosen(move="roof_known", slots={"roof_type": "metal"}),
    WordsWritten(text="Metal is good."),
    WordsWritten(text="It lasts for long."),
]
PROVIDERS = {
    Dialect.OPENAI: Provider.OPENAI,
    Dialect.AZURE: Provider.AZURE,
    Dialect.ANTHROPIC: Provider.ANTHROPIC,
    Dialect.BEDROCK: Provider.BEDROCK,
}
has_aws = pytest.mark.skipif(find_spec("botocore") is None, reason="needs the extra bedrock")
every_dialect = pytest.mark.parametrize(
    "dialect",
    [
        Dialect.OPENAI,
        Dialect.AZURE,
        Dialect.ANTHROPIC,
        pytest.param(Dialect.BEDROCK, marks=has_aws),
    ],
)


def client_of(vendor: ModelVendor, name: str = "only") -> LlmClient:
    return LlmClient(
        name=name,
        provider=PROVIDERS[vendor.dialect],
        model="m:0" if vendor.dialect is Dialect.BEDROCK else "m",
        api_key=KEY,
        base_url=vendor.base_url,
        api_version="2024-10-21",
        region=REGION,
    )


@asynccontextmanager
async def dialogue(*vendors: ModelVendor, **options: Any) -> AsyncIterator[BamlDialogue]:
    names = ("first", "second", "third")
    clients = [client_of(vendor, name) for vendor, name in zip(vendors, names, strict=False)]
    async with httpx.AsyncClient() as http, asyncio.timeout(20):
        made = BamlDialogue(clients, http=http, **options)
        await made.warm()
        yield made


async def parts_of(
    made: BamlDialogue, trace: ReplyTrace | None = None, request: ReplyRequest = REQUEST
) -> list[ReplyPart]:
    return [part async for part in made.reply(request, trace)]


@every_dialect
async def test_a_reply_is_read_from_every_vendors_stream_and_its_tokens_are_counted(
    dialect: Dialect,
) -> None:
    trace = ReplyTrace()
    async with model_vendor(dialect, answers(REPLY)) as vendor, dialogue(vendor) as made:
        assert await parts_of(made, trace) == PARTS
        prompt = json.dumps(vendor.asked)
    assert "- roof (roof_known):" in prompt
    assert "It is metal." in prompt
    (usage,) = trace.clients
    assert (usage.outcome, usage.is_estimate) == ("used", False)
    assert (usage.prompt_tokens, usage.tokens_written) == (PROMPT_TOKENS, vendor.tokens_sent)
    assert trace.tokens_written == usage.tokens_written


@every_dialect
async def test_turn_after_turn_goes_over_one_connection_at_every_vendor(dialect: Dialect) -> None:
    steps = [answers(REPLY)] * 3
    async with model_vendor(dialect, *steps) as vendor, dialogue(vendor) as made:
        for _ in steps:
            assert await parts_of(made) == PARTS
        assert vendor.connections == 1


@every_dialect
async def test_a_reply_that_is_left_closes_the_vendors_stream(dialect: Dialect) -> None:
    stalls = answers(REPLY, fault=Fault.STALL, after=12)
    async with model_vendor(dialect, stalls) as vendor, dialogue(vendor) as made:
        async with aclosing(made.reply(REQUEST)) as parts:
            assert await anext(parts) == PARTS[0]
        await asyncio.wait_for(vendor.left.wait(), 5)


@every_dialect
async def test_a_turn_that_is_cancelled_before_its_first_token_closes_the_vendors_stream(
    dialect: Dialect,
) -> None:
    silent = answers(REPLY, fault=Fault.STALL)
    async with model_vendor(dialect, silent) as vendor, dialogue(vendor) as made:
        task = asyncio.create_task(parts_of(made))
        while not vendor.asked:
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait_for(vendor.left.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await task


@every_dialect
@pytest.mark.parametrize(
    ("step", "reason", "failure"),
    [
        (Step(status=401), "http", "key"),
        (Step(status=429, headers={"retry-after": "30"}), "http", "rate"),
        (Step(status=400), "http", "request"),
        (answers(REPLY, fault=Fault.BROKEN, after=1), "malformed", "malformed"),
        (answers(REPLY, fault=Fault.STALL, after=1), "timeout", "silent"),
        (answers(REPLY, fault=Fault.STALL), "timeout", "silent"),
        (Step(text="I would rather not."), "malformed", "malformed"),
        (Step(text=""), "malformed", "malformed"),
    ],
)
async def test_what_a_vendor_does_wrong_is_told_in_one_word(
    dialect: Dialect, step: Step, reason: str, failure: str
) -> None:
    trace = ReplyTrace()
    timeouts = {"first_token_timeout_s": 0.5, "idle_timeout_s": 0.2}
    async with model_vendor(dialect, step) as vendor, dialogue(vendor, **timeouts) as made:
        with pytest.raises(NoUsableReply) as refused:
            await parts_of(made, trace)
    assert refused.value.reason == reason
    assert [(usage.outcome, usage.failure) for usage in trace.clients] == [("failed", failure)]


@every_dialect
@pytest.mark.parametrize(
    "step",
    [
        Step(status=500),
        Step(status=429, headers={"retry-after": "0"}),
        answers(REPLY, fault=Fault.CUT, after=1),
        answers(REPLY, fault=Fault.ERROR, after=1),
    ],
)
async def test_the_only_client_is_asked_once_more_where_that_can_help(
    dialect: Dialect, step: Step
) -> None:
    trace = ReplyTrace()
    async with model_vendor(dialect, step, answers(REPLY)) as vendor, dialogue(vendor) as made:
        assert await parts_of(made, trace) == PARTS
    assert [usage.outcome for usage in trace.clients] == ["failed", "used"]


@every_dialect
async def test_a_kept_connection_that_the_vendor_closed_meanwhile_costs_nothing_but_a_new_one(
    dialect: Dialect,
) -> None:
    steps = (answers(REPLY), Step(cuts_before_head=True), answers(REPLY))
    trace = ReplyTrace()
    async with model_vendor(dialect, *steps) as vendor, dialogue(vendor) as made:
        assert await parts_of(made) == PARTS
        assert await parts_of(made, trace) == PARTS
    assert [usage.outcome for usage in trace.clients] == ["used"], "asked twice, failed never"


@every_dialect
async def test_a_reply_that_is_cut_in_its_words_is_not_begun_anew(dialect: Dialect) -> None:
    """The caller has heard its beginning."""
    cut = answers(REPLY, fault=Fault.CUT, after=13)
    heard: list[ReplyPart] = []

    async def listen(made: BamlDialogue) -> None:
        async for part in made.reply(REQUEST):
            heard.append(part)

    async with (
        model_vendor(dialect, cut) as vendor,
        model_vendor(Dialect.OPENAI) as spare,
        dialogue(vendor, spare) as made,
    ):
        with pytest.raises(NoUsableReply):
            await listen(made)
    assert heard == PARTS[:2]


@has_aws
async def test_bedrock_is_signed_with_the_credentials_of_aws_own_chain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    async with (
        model_vendor(Dialect.BEDROCK, answers(REPLY)) as vendor,
        httpx.AsyncClient() as http,
    ):
        client = LlmClient(
            name="only",
            provider=Provider.BEDROCK,
            model="m:0",
            base_url=vendor.base_url,
            region=REGION,
        )
        assert await parts_of(BamlDialogue([client], http=http)) == PARTS


def test_a_key_is_in_no_clients_text() -> None:
    client = LlmClient(name="a", provider=Provider.GROQ, model="m", api_key=KEY)
    assert KEY not in repr(client)
    assert client.address == "https://api.groq.com/openai/v1"
