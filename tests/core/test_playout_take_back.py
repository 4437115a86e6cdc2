"""What was delivered of a sentence is void from some word on: another voice says it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from media_gateway.speech.ports import WordTime
from media_gateway.turns.playout import Outgoing, Playout
from media_gateway.turns.types import Ms

WORDS = tuple(
    WordTime(word=word, start_ms=200 * n, end_ms=200 * (n + 1))
    for n, word in enumerate(("one", "two", "three", "four", "five"))
)


def playout() -> Playout:
    made = Playout("MZ1")
    made.begin_reply(1)
    made.begin_segment(0, "one two three four five")
    for n, word in enumerate(WORDS):
        made.add(0, bytes([n + 1]) * 1600, (word,))
    return made


def audio(out: Sequence[Outgoing]) -> bytes:
    media = [json.loads(item.message) for item in out if item.audio_ms]
    return b"".join(base64.b64decode(message["media"]["payload"]) for message in media)


def test_what_was_not_sent_is_dropped_and_the_line_is_left_alone() -> None:
    made = playout()
    sent = audio(made.due(Ms(0)))
    assert len(sent) == 8 * 400
    assert made.take_back(0, 600, Ms(0)) is None
    made.add(0, bytes([9]) * 1600)
    made.segment_done(0)
    made.end_reply()
    rest = audio(made.due(Ms(300))) + audio(made.due(Ms(600)))
    assert (
        sent + rest == bytes([1]) * 1600 + bytes([2]) * 1600 + bytes([3]) * 1600 + bytes([9]) * 1600
    )


def test_what_was_sent_and_not_played_is_cleared_before_the_other_voice_says_it() -> None:
    made = playout()
    made.due(Ms(0))
    made.due(Ms(250))
    message = made.take_back(0, 400, Ms(250))
    assert message is not None
    assert json.loads(message)["event"] == "clear"
    made.add(0, bytes([9]) * 3200)
    rest = audio(made.due(Ms(250)))
    assert 3 not in rest, "what is void is not played"
    assert rest.endswith(bytes([9]) * 160)


def test_words_of_void_audio_are_not_heard() -> None:
    made = playout()
    made.take_back(0, 400, Ms(0))
    made.add(0, bytes([9]) * 1600, (WordTime(word="three", start_ms=400, end_ms=600),))
    made.due(Ms(0))
    made.due(Ms(300))
    assert made.heard(Ms(600)).words == "one two three"


def test_a_held_reply_loses_its_void_audio_without_a_word_to_the_line() -> None:
    made = Playout("MZ1")
    made.begin_reply(1, held=True)
    made.begin_segment(0, "one two")
    made.add(0, bytes([1]) * 3200)
    assert made.take_back(0, 200, Ms(0)) is None
    made.release()
    assert audio(made.due(Ms(0))) == bytes([1]) * 1600


def test_a_cut_reply_and_a_segment_that_is_none_are_left_alone() -> None:
    made = playout()
    made.due(Ms(0))
    assert made.take_back(7, 0, Ms(0)) is None
    made.clear(Ms(100))
    assert made.take_back(0, 0, Ms(100)) is None
