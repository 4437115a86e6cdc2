"""Flux behind the same port: turns told as evidence, and words that are told once though the service repeats the whole turn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from media_gateway.speech.deepgram_listen import stream as stream_module
from media_gateway.speech.deepgram_listen.flux import MOST_AGAIN_MS, FluxReading
from media_gateway.speech.deepgram_listen.options import ListenOptions
from media_gateway.speech.deepgram_listen.reading import Oddity
from media_gateway.speech.ports import Transcript
from tests.simulators.deepgram import Connection, deepgram
from tests.simulators.spoken import WORDS, silence, spoken
from tests.vendors.listening_in import listening, recogniser

FLUX = ListenOptions(model="flux-general-en", eager_eot_threshold=0.4)
SENTENCE = [2, 3, 4, 5, 6]
WE_OWN_IT = " ".join(WORDS[number] for number in SENTENCE)


async def test_what_is_asked_for() -> None:
    async with deepgram(Connection(controls=("CloseStream",))) as there:
        await (await recogniser(there, FLUX).open(key_terms=["Brightfield, Inc.; solar"])).close()
    asked = dict(there.queries[0])
    assert there.paths == ["/v2/listen"]
    assert asked["keyterm"] == "Brightfield Inc. solar"
    assert (asked["eot_threshold"], asked["eager_eot_threshold"]) == ("0.7", "0.4")
    assert "interim_results" not in asked


async def test_a_turn_is_told_unfinished_then_eagerly_over_then_over() -> None:
    async with deepgram() as there, listening(recogniser(there, FLUX)) as listened:
        await listened.speak(spoken(SENTENCE) + silence(1200))
        await listened.until(lambda: listened.finals)
    told = listened.told
    assert told[0] == Transcript(text="we", is_final=False)
    eager = [one for one in told if one.eager_end_of_turn]
    assert {one.text for one in eager} == {WE_OWN_IT}
    assert told[-1].text == WE_OWN_IT
    assert (told[-1].is_final, told[-1].end_of_turn) == (True, True)


async def test_a_turn_that_is_resumed_is_no_longer_eagerly_over() -> None:
    async with deepgram() as there, listening(recogniser(there, FLUX)) as listened:
        await listened.speak(spoken([2, 3]) + silence(400) + spoken([4]) + silence(1200))
        await listened.until(lambda: listened.finals)
    states = [one.eager_end_of_turn for one in listened.told if not one.is_final]
    assert True in states
    resumed = states.index(True) + states[states.index(True) :].index(False)
    assert not listened.told[resumed].is_final
    assert listened.finals == "we own it"


async def test_words_that_we_finished_are_not_told_again_when_the_turn_ends() -> None:
    async with (
        deepgram(Connection(controls=("CloseStream",))) as there,  # Flux has no Finalize
        listening(recogniser(there, FLUX)) as listened,
    ):
        await listened.speak(spoken([2, 3]) + silence(200))
        await listened.stream.finalize()
        await listened.speak(silence(240) + spoken([4, 5]) + silence(1200))
        await listened.until(lambda: any(one.end_of_turn for one in listened.told))
    finals = [one for one in listened.told if one.is_final]
    assert [(one.text, one.from_finalize, one.end_of_turn) for one in finals] == [
        ("we own", True, False),
        ("it the", False, True),
    ]


async def test_asked_to_finish_where_nothing_was_said_it_answers_with_nothing() -> None:
    async with deepgram() as there, listening(recogniser(there, FLUX)) as listened:
        await listened.speak(silence(200))
        await listened.stream.finalize()
        await listened.speak(silence(1000))
        await listened.until(lambda: listened.told)
    assert listened.told[0].from_finalize
    assert not listened.told[0].text


async def test_audio_that_stops_is_followed_by_silence_so_that_the_turn_can_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "SILENCE_AFTER_S", 0.02)
    monkeypatch.setattr(stream_module, "TICK_S", 0.01)
    async with deepgram() as there, listening(recogniser(there, FLUX)) as listened:
        for _ in range(3):
            listened.stream.send(spoken(SENTENCE))
        await listened.until(lambda: listened.finals)
    assert listened.finals == " ".join([WE_OWN_IT] * 3)
    until_ms = listened.told[-1].until_ms
    assert until_ms is not None
    assert until_ms <= 3 * len(spoken(SENTENCE)) / 8, "of the audio that was sent"


# --- the reading by itself --------------------------------------------------------------------------


def turn_info(sequence: int, event: str, turn: int, text: str, **fields: Any) -> str:
    times: list[tuple[int, int]] | None = fields.pop("times_ms", None)
    words = [{"word": word, "confidence": 1.0} for word in text.split()]
    if times is not None:
        words = [
            {**word, "start": begin / 1000, "end": end / 1000}
            for word, (begin, end) in zip(words, times, strict=True)
        ]
    return json.dumps(
        {
            "type": "TurnInfo",
            "request_id": "r",
            "sequence_id": sequence,
            "event": event,
            "turn_index": turn,
            "audio_window_start": 0.0,
            "audio_window_end": fields.pop("until_ms", 1000 * sequence) / 1000,
            "transcript": text,
            "words": words,
            "end_of_turn_confidence": 0.5,
            **fields,
        }
    )


def reading() -> FluxReading:
    made = FluxReading()
    made.connected(0)
    return made


def test_a_message_that_comes_late_is_told_apart_and_tells_nothing() -> None:
    flux = reading()
    flux.read(turn_info(2, "StartOfTurn", 0, "we"))
    assert flux.read(turn_info(1, "Update", 0, "")).oddity is Oddity.LATE
    assert [t.text for t in flux.read(turn_info(3, "EndOfTurn", 0, "we own")).transcripts] == [
        "we own"
    ]
    assert flux.read(turn_info(4, "EndOfTurn", 0, "we own")).oddity is Oddity.LATE


def test_a_turn_whose_end_got_lost_ends_with_the_words_it_had() -> None:
    flux = reading()
    flux.read(turn_info(1, "Update", 0, "we own it"))
    told = flux.read(turn_info(2, "StartOfTurn", 1, "yes")).transcripts
    assert [(t.text, t.is_final) for t in told] == [("we own it", True), ("yes", False)]
    assert flux.read(turn_info(3, "EndOfTurn", 0, "we own it")).oddity is Oddity.LATE


def test_an_event_that_nobody_knows_yet_counts_as_words() -> None:
    told = reading().read(turn_info(1, "TurnPondered", 0, "we")).transcripts
    assert told == (Transcript(text="we", is_final=False),)


def test_a_word_that_was_only_begun_when_we_asked_is_not_final() -> None:
    flux = reading()
    flux.finish_at(1000)
    times = [(0, 400), (500, 1100)]
    told = flux.read(turn_info(1, "Update", 0, "we ow", until_ms=1050, times_ms=times)).transcripts
    assert [(t.text, t.is_final) for t in told] == [("we", True), ("ow", False)]
    assert flux.finished_ms == 400
    told = flux.read(turn_info(2, "EndOfTurn", 0, "we own", until_ms=2000)).transcripts
    assert [(t.text, t.is_final) for t in told] == [("own", True)]


@pytest.mark.parametrize("has_times", [True, False])
def test_of_a_very_long_turn_the_words_told_stand_when_the_connection_is_lost(
    has_times: bool,
) -> None:
    flux = reading()
    until_ms = MOST_AGAIN_MS + 1000
    times = [(0, 400), (500, until_ms - 200)] if has_times else None
    flux.read(turn_info(1, "Update", 0, "we own", until_ms=until_ms, times_ms=times))
    told = flux.lost(until_ms + 500)
    assert [(t.text, t.is_final) for t in told] == [("we own", True)]
    assert flux.finished_ms == (until_ms - 200 if has_times else until_ms)


def test_silence_is_not_kept_for_ever() -> None:
    flux = reading()
    flux.read(turn_info(1, "Update", 0, "", until_ms=60_000))
    assert flux.finished_ms == 59_000


@pytest.mark.parametrize(
    "message",
    [
        turn_info(1, "Update", 0, "we")[:-20],
        '{"type": "TurnInfo"}',
        turn_info(1, "Update", 0, "we", audio_window_end="never"),
        "[]",
        "1",
        "",
    ],
)
def test_what_cannot_be_read_is_malformed(message: str) -> None:
    assert reading().read(message).oddity is Oddity.MALFORMED


def test_a_fatal_error_is_told_by_its_code_alone() -> None:
    read = reading().read('{"type": "Error", "code": "INTERNAL", "description": "we own it"}')
    assert (read.oddity, read.code, read.transcripts) == (Oddity.ERROR, "INTERNAL", ())


def test_an_eager_end_is_told_though_all_its_words_are_final() -> None:
    flux = reading()
    flux.finish_at(500)
    told = flux.read(turn_info(1, "Update", 0, "we own it")).transcripts
    assert [(t.text, t.from_finalize) for t in told] == [("we own it", True)]
    told = flux.read(turn_info(2, "EagerEndOfTurn", 0, "we own it")).transcripts
    assert told == (Transcript(text="", is_final=False, eager_end_of_turn=True),)
    told = flux.read(turn_info(3, "TurnResumed", 0, "we own it")).transcripts
    assert told == (Transcript(text="", is_final=False),)
