"""What the emulated vendors say, as far as it needs no socket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import cast

import pytest
from websockets.asyncio.server import ServerConnection

import bench.turns
from bench.turns.model import cut, in_form
from bench.turns.recogniser import Recogniser, _text
from bench.turns.sounds import Word
from bench.turns.stamps import FRAME, stamped
from bench.turns.truth import CallTruth, Latencies, Truth
from bench.turns.utterances import Book, parse_book, plain

YAML = Path(bench.turns.__file__).with_name("utterances.yaml").read_text(encoding="utf-8")
FORM = """
{
  move: NextMove,
  // only slots whose value the caller just gave
  slots: [
    {
      name: string,
      value: string,
    }
  ],
  say: string,
}"""


def book(half: str) -> Book:
    return parse_book(YAML, half)


def test_the_halves_share_no_utterance() -> None:
    test, tuning = book("test"), book("tuning")

    said = {plain(u.words) for u in (*test.answers, *test.interruptions, *test.backchannels)}
    tuned = {plain(u.words) for u in (*tuning.answers, *tuning.interruptions, *tuning.backchannels)}

    assert not said & tuned
    assert len(test.answers) + len(tuning.answers) >= 40


def test_pauses_stand_between_the_parts_and_say_what_was_before_them() -> None:
    utterance = book("test").find("We own the house for about six years")

    assert utterance is not None
    assert utterance.parts == ("We own the house", "for about six years.")
    assert [(pause.ms, pause.is_whole) for pause in utterance.pauses] == [(900, True)]


def test_the_reply_has_the_prompts_keys_in_their_order_and_an_offered_move() -> None:
    utterance = book("test").find("We do. Together with my brother.")
    prompt = "## Moves\n- owns: the caller owns the house\n- continue_stage: other\n## Slots\n"

    reply = json.loads(in_form(prompt, FORM, utterance, "Good."))

    assert list(reply) == ["move", "slots", "say"]
    assert reply == {
        "move": "owns",
        "slots": [{"name": "is_homeowner", "value": "yes"}],
        "say": "Good.",
    }


def test_the_reply_uses_the_prompts_short_names_and_leaves_empty_slots_out() -> None:
    utterance = book("test").find("We do. Together with my brother.")
    prompt = "## Moves\n- own (owns): the caller owns it\n- ok (continue_stage): other\n## Slots\n"
    form = "{\n  m: NextMove,\n  s: map<string, string> or null,\n  say: string,\n}\nno spaces"

    assert (
        in_form(prompt, form, utterance, "Good.")
        == '{"m":"own","s":{"is_homeowner":"yes"},"say":"Good."}'
    )
    assert in_form(prompt, form, None, "Good.") == '{"m":"ok","say":"Good."}'


def test_the_words_stand_under_the_moves_tag_where_the_prompt_shows_it() -> None:
    utterance = book("test").find("We do. Together with my brother.")
    prompt = "## Moves\n- own (owns): the caller owns it\n- ok (continue_stage): other\n## Slots\n"
    form = '{"TAG":"WORDS"}\n{"s":{"SLOT":"VALUE"},"TAG":"WORDS"}\nno spaces'

    assert in_form(prompt, form, utterance, "Good.") == '{"s":{"is_homeowner":"yes"},"own":"Good."}'
    assert in_form(prompt, form, None, "Good.") == '{"ok":"Good."}'


def test_a_move_that_is_not_offered_becomes_going_on() -> None:
    utterance = book("test").find("We do. Together with my brother.")
    prompt = "## Moves\n- permission_given: yes\n- continue_stage: other\n## Slots\n"

    assert json.loads(in_form(prompt, FORM, utterance, "Good."))["move"] == "continue_stage"


def test_json_is_cut_as_a_tokenizer_cuts() -> None:
    assert cut('{"move": "owns", "say": "Good day."}')[:6] == [
        '{"',
        "move",
        '":',
        ' "',
        "owns",
        '",',
    ]
    text = '{"move": "permission_given", "slots": [], "say": "Some 128 of them, you see."}'
    assert "".join(cut(text)) == text


@pytest.mark.parametrize(
    ("is_whole", "is_final", "expected"),
    [(True, True, "We own it."), (True, False, "We own it"), (False, True, "We own it")],
)
def test_a_stop_is_written_behind_what_could_be_a_sentence(
    is_whole: bool, is_final: bool, expected: str
) -> None:
    words = [
        Word(text="we", start_ms=0, end_ms=100),
        Word(text="own", start_ms=100, end_ms=200),
        Word(text="it", start_ms=200, end_ms=300, ends_part=True, is_whole=is_whole),
    ]

    assert _text(words, is_final=is_final) == expected


class _Socket:
    """Takes what the recogniser says."""

    request = None

    def __init__(self) -> None:
        self.said: list[str] = []
        self.news = asyncio.Event()

    async def send(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] == "Results":
            self.said.append(message["channel"]["alternatives"][0]["transcript"])
            self.news.set()


@pytest.mark.parametrize("skipped_bytes", [0, 1, 72, 159, 1000])
async def test_a_stream_that_begins_in_the_middle_of_a_frame_is_understood(
    skipped_bytes: int,
) -> None:
    truth = Truth(Latencies(interim_ms=1, jitter=0))
    truth.calls[7] = CallTruth(
        7,
        words=[
            Word(text="before", start_ms=0, end_ms=1000),
            Word(text="we", start_ms=1000, end_ms=1400),
            Word(text="own", start_ms=1400, end_ms=1800),
        ],
    )
    socket = _Socket()
    recogniser = Recogniser(cast(ServerConnection, socket), truth)
    audio = b"".join(stamped(b"\xff" * FRAME, 7, index) for index in range(50, 120))

    for at in range(skipped_bytes, len(audio), 800):
        recogniser._hear(audio[at : at + 800])
    async with asyncio.timeout(5):
        while "We own" not in socket.said:
            socket.news.clear()
            await socket.news.wait()
    assert not any("before" in text.lower() for text in socket.said)


async def test_audio_without_words_is_answered_with_nothing_once_a_second() -> None:
    truth = Truth(Latencies(interim_ms=1, jitter=0))
    truth.calls[7] = CallTruth(7)
    socket = _Socket()
    recogniser = Recogniser(cast(ServerConnection, socket), truth)

    for index in range(150):
        recogniser._hear(stamped(b"\xff" * FRAME, 7, index))
    async with asyncio.timeout(5):
        while len(socket.said) < 3:
            socket.news.clear()
            await socket.news.wait()
    assert socket.said == ["", "", ""]
