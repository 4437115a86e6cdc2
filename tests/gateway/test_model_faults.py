"""What a caller hears when the model fails in the middle of his call: never nothing, never the same words twice."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

import pytest

from tests.gateway.conftest import Gateway
from tests.simulators.llm import Dialect, Fault, Step, answers, model_vendor
from tests.vendors.test_llm_clients import dialogue

REPLY = {"permission_given": "Thank you for your time. It will be short."}
WELL = answers(REPLY)
BOTH = "Thank you for your time. It will be short. Do you own"
FIRST = "Thank you for your time. Do you own"
IN_WORDS = 10
"""Tokens: the first sentence is whole, the second one is not."""
LONGEST_SILENCE_S = 3.0
FRAMES_A_S = 50


def longest_silence_s(heard: bytes) -> float:
    """Between two sounds of the agent; what is behind the last one is the caller's turn."""
    frames = [
        heard[at : at + 160].count(0xFF) == len(heard[at : at + 160])
        for at in range(0, len(heard.rstrip(b"\xff")), 160)
    ]
    runs = [len(list(run)) for is_quiet, run in groupby(frames) if is_quiet]
    return max(runs, default=0) / FRAMES_A_S


@pytest.mark.parametrize(
    ("steps", "heard", "refusal"),
    [
        pytest.param([WELL], BOTH, "", id="well"),
        pytest.param([Step(status=401)], "", "http", id="401"),
        pytest.param([Step(status=429, headers={"retry-after": "30"})], "", "http", id="429"),
        pytest.param([Step(status=500), WELL], BOTH, "", id="500, then well"),
        pytest.param([Step(status=500), Step(status=500)], "", "http", id="500 twice"),
        pytest.param([answers(REPLY, first_after_s=0.6)], BOTH, "", id="slow first token"),
        pytest.param([answers(REPLY, fault=Fault.STALL)], "", "timeout", id="silent"),
        pytest.param([answers(REPLY, fault=Fault.STALL, after=2)], "", "timeout", id="drips"),
        pytest.param([answers(REPLY, fault=Fault.HALF)], "", "malformed", id="half an event"),
        pytest.param([Step(text="I would rather not.")], "", "malformed", id="no JSON"),
        pytest.param([answers({"owns": "You own it."})], "", "move", id="a move of another stage"),
        *(
            pytest.param([answers(REPLY, fault=fault, after=IN_WORDS)], FIRST, "*", id=f"{fault} in words")
            for fault in (Fault.CUT, Fault.STALL, Fault.BROKEN, Fault.ERROR, Fault.HALF)
        ),
    ],
)  # fmt: skip
async def test_a_turn_is_answered_whatever_the_model_does(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[Step],
    heard: str,
    refusal: str,
) -> None:
    async with (
        model_vendor(Dialect.OPENAI, *steps) as model,
        dialogue(model, first_token_timeout_s=0.8, idle_timeout_s=0.5) as made,
    ):
        for name in ("reply", "prepare", "warm"):
            monkeypatch.setattr(gateway.dialogue, name, getattr(made, name))
        line = await gateway.stream()
        await line.agent_done()
        gateway.recogniser.words.append("yes sure")
        told = len(gateway.link.told)
        line.heard.clear()
        line.speak(300)
        await gateway.link.until_turns(told + 1)
        await line.agent_done(quiet_ms=900)  # longer than the model may stall
        await line.hang_up()
    turn = gateway.link.turns[-1]
    said = turn.heard_words or turn.saying
    assert heard in said
    assert turn.refusal == refusal or (refusal == "*" and turn.refusal)
    assert said.strip(), "never nothing"
    sentences = Counter(re.findall(r"[^.?!]+[.?!]", said))
    assert all(times == 1 for times in sentences.values()), sentences
    assert longest_silence_s(bytes(line.heard)) < LONGEST_SILENCE_S
