"""One run: so many answers of callers, a few calls at once, on one system under test. Gives back what came of every act."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from twilio.request_validator import RequestValidator

from bench import processes
from bench.rig import AUTH_TOKEN, TOKEN_SECRET, under_test
from bench.turns.call import Call, Door
from bench.turns.caller import Caller, Plan
from bench.turns.evidence import Claim, judge, ledger_errors
from bench.turns.figures import Result
from bench.turns.model import FIRST_NUMBER
from bench.turns.record import Kind, Record
from bench.turns.sounds import Sounds
from bench.turns.stamps import runs
from bench.turns.truth import CallTruth, Latencies, Truth
from bench.turns.utterances import Book, parse_book, plain
from bench.turns.vendors import Addresses, serving
from media_gateway.stream_token import StreamTokens
from workflows.script.model import Script
from workflows.script.parse import parse_script

SCRIPT = Path("sales_scripts/solar_consult.yaml")
UTTERANCES = Path(__file__).with_name("utterances.yaml")
Knock = Callable[[int], Door]
"""For each call's number, the door to knock at."""
System = Callable[[Addresses, Path], AbstractAsyncContextManager[Knock]]
"""Starts what is measured, before these vendors, with a file for what it says was heard."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Of one run."""

    name: str
    system: System
    answers: int = 240
    calls_at_once: int = 8
    half: str = "test"
    plan: Plan = field(default_factory=Plan)
    fault_share: float = 0.0
    has_word_times: bool = True
    jitter: float = Latencies().jitter
    seed: int = 7


def _book(half: str) -> tuple[Script, Book]:
    script = parse_script(SCRIPT.read_text(encoding="utf-8"), name=str(SCRIPT))
    return script, parse_book(UTTERANCES.read_text(encoding="utf-8"), half)


async def run(setting: Setting, out: Path) -> Result:
    """Make it happen. `out` takes the file of what the gateway told was heard."""
    script, book = _book(setting.half)
    truth = Truth(
        Latencies(jitter=setting.jitter),
        seed=setting.seed,
        fault_share=setting.fault_share,
        has_word_times=setting.has_word_times,
    )
    result = Result(name=setting.name)
    told = out / f"{setting.name}.heard.jsonl"
    told.parent.mkdir(parents=True, exist_ok=True)
    told.unlink(missing_ok=True)
    began_s, busy = time.monotonic(), processes.busy_s()
    callers: list[Caller] = []
    async with (
        serving(truth, book, next_questions(script)) as addresses,
        setting.system(addresses, told) as knock,
    ):
        crowd = _Crowd(setting, truth, book, known_questions(script), knock, callers)
        await asyncio.gather(*(crowd.work(n) for n in range(setting.calls_at_once)))
    claims = _claims(told)
    for caller in callers:
        record = caller.call.record
        result.judged.append(judge(record, caller.acts, truth.agent_words))
        result.ledger += ledger_errors(record, claims.get(record.call, []), truth.agent_words)
        result.turns += sum(act.kind in (Kind.ANSWER, Kind.INTERRUPTION) for act in caller.acts)
    result.replies_heard = _replies_heard([c.call.record for c in callers], truth)
    result.model_requests, result.faults = truth.model_requests, truth.faults
    result.faults["lost_mark"] = sum(c.call.record.marks_lost for c in callers)
    result.seconds = time.monotonic() - began_s
    result.cores = (processes.busy_s() - busy) / result.seconds
    return result


@dataclass
class _Crowd:
    """Callers who call again until enough was said."""

    setting: Setting
    truth: Truth
    book: Book
    questions: dict[str, str]
    knock: Knock
    callers: list[Caller]
    _calls: int = 0
    _sounds: Sounds = field(default_factory=Sounds)

    async def work(self, place: int) -> None:
        """One after the other, at one place."""
        # Not all at once: the callers of a real line do not breathe in step.
        await asyncio.sleep(0.7 * place)
        while not self._is_enough():
            self._calls += 1
            await self._one(self._calls)

    async def _one(self, number: int) -> None:
        chance = random.Random(self.setting.seed * 1000 + number)
        has_background = number % 3 == 0
        side = self.truth.calls[number] = CallTruth(number)
        background = self._sounds.background(chance) if has_background else None
        caller = Caller(
            Call(self.knock(number), side, background),
            side,
            self.truth,
            self.book,
            self._sounds,
            self.setting.plan,
            self.questions,
            chance,
        )
        self.callers.append(caller)
        try:
            await caller.call.open()
            await caller.talk(has_background=has_background, is_enough=self._is_enough)
        finally:
            await caller.call.close()

    def _is_enough(self) -> bool:
        said = sum(act.kind is Kind.ANSWER for caller in self.callers for act in caller.acts)
        return said >= self.setting.answers


def gateway(**settings: str) -> System:
    """The gateway, with settings of its own (without the prefix)."""

    @asynccontextmanager
    async def started(addresses: Addresses, told: Path) -> AsyncIterator[Knock]:
        own = {f"CALLSPINE_{name}": value for name, value in settings.items()}
        async with under_test(
            "gateway",
            speech=addresses.speech,
            model=addresses.model,
            log=told.with_suffix(".log"),
            settings=own | {"CALLSPINE_BENCH_HEARD": str(told)},
        ) as (port, _):
            yield gateway_doors(port)

    return started


def gateway_doors(port: int) -> Knock:
    """Signed as the carrier signs, each with a fresh token."""
    url = f"ws://127.0.0.1:{port}/media"
    signature = RequestValidator(AUTH_TOKEN).compute_signature(url, {})
    tokens = StreamTokens(TOKEN_SECRET)

    def knock(number: int) -> Door:
        call_id = f"bench-{number}"
        token = tokens.issue(call_id, now_s=time.time())
        return Door(
            url=url,
            headers={"X-Twilio-Signature": signature},
            parameters={"call_id": call_id, "token": token},
        )

    return knock


def _replies_heard(records: list[Record], truth: Truth) -> int:
    """Of the model's replies, those of which a word at least was heard."""
    contexts = {
        truth.agent_words[run.word].context
        for record in records
        for run in runs(bytes(record.played))
        if run.word in truth.agent_words
    }
    numbers = {str(FIRST_NUMBER + n) for n in range(1, truth.model_requests + 1)}
    return sum(
        any(word.text in numbers for word in truth.contexts[context]) for context in contexts
    )


def known_questions(script: Script) -> dict[str, str]:
    """The stage of each question that can be heard, in plain words, as far as it holds no slot."""
    found = {}
    for name, stage in script.stages.items():
        for line in (stage.opening, stage.fallback, stage.reask):
            text = max(line.text.split("{"), key=len).rpartition("}")[2]
            asked = [s for s in text.replace("!", ".").split(".") if "?" in s] or [text]
            found[plain(asked[-1])] = name
        for slot in stage.collects:
            found[plain(script.slots[slot].ask)] = name
    return {words: name for words, name in found.items() if words}


def next_questions(script: Script) -> dict[str, str]:
    """What a plain-spoken agent asks after each move; under the empty name, how it begins."""
    found = {
        move.name: script.stages[move.to].opening.text
        for stage in script.stages.values()
        for move in stage.moves
        if move.to and script.stages[move.to].outcome is None
    }
    found = {name: text.replace("{appointment_at}", "then") for name, text in found.items()}
    opening = script.stages[script.first_stage].opening.text
    begin = (
        f"Hi, this is {script.agent_name}, an AI assistant calling from {script.company}. {opening}"
    )
    return {"": begin, **found}


def _claims(told: Path) -> dict[int, list[Claim]]:
    found: dict[int, list[Claim]] = {}
    if told.exists():
        for text in told.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            found.setdefault(int(line["call"].removeprefix("bench-")), []).append(
                Claim(
                    reply_words=line["reply_words"],
                    heard_words=line["heard_words"],
                    interrupted=line["interrupted"],
                )
            )
    return found
