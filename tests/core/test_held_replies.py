"""Replies that are held back: begun ahead, or paused at any instant and gone on with. By written times."""

from __future__ import annotations

import base64
import json
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.speech.ports import WordTime
from media_gateway.turns.playout import Playout
from media_gateway.turns.spoken_words import goes_on_at, heard_until, word_times
from media_gateway.turns.types import Ms
from rehearsal.carrier.playout import PlayoutBuffer

SILENT_MS = b"\xff" * 8


def numbered(first_ms: int, length_ms: int) -> bytes:
    """Audio in which every millisecond says which one it is."""
    return b"".join(
        bytes([ms // 250, ms % 250] * 4) for ms in range(first_ms, first_ms + length_ms)
    )


def numbers(audio: bytes) -> list[int]:
    """The milliseconds that were played, in order; silence is left out."""
    pieces = [audio[at : at + 8] for at in range(0, len(audio), 8)]
    return [piece[0] * 250 + piece[1] for piece in pieces if piece != SILENT_MS]


def times(*ends_ms: int) -> tuple[WordTime, ...]:
    starts = (0, *ends_ms)
    return tuple(
        WordTime(word=f"w{n}", start_ms=start, end_ms=end)
        for n, (start, end) in enumerate(zip(starts, ends_ms, strict=False))
    )


class Line:
    """A playout and a truthful carrier: 20 ms frames, marks when they are reached or cleared."""

    def __init__(self, playout: Playout) -> None:
        self.playout = playout
        self.buffer = PlayoutBuffer()
        self.played: list[int] = []
        """Milliseconds of the reply, in the order in which the caller heard them."""
        self.socket: list[str] = []
        """Messages that `due` gave out and that have not reached the carrier."""
        self.is_stuck = False
        self.generations: list[str] = []

    def pump(self, now: int) -> None:
        self.socket += [item.message for item in self.playout.due(Ms(now))]
        if not self.is_stuck:
            self._flush(now)

    def _flush(self, now: int) -> None:
        for text in self.socket:
            message = json.loads(text)
            match message["event"]:
                case "media":
                    self.buffer.add(base64.b64decode(message["media"]["payload"]))
                case "mark":
                    self.generations.append(message["mark"]["name"].rpartition(".")[2])
                    self._echo(self.buffer.mark(message["mark"]["name"]), now)
                case "clear":
                    self._echo(self.buffer.clear(), now)
        self.socket = []

    def tick(self, now: int) -> None:
        """A millisecond of the carrier's clock."""
        if now % 20 == 0:
            frame, marks = self.buffer.play()
            self.played += numbers(frame)
            self._echo(marks, now)
        self.pump(now)

    def pause(self, now: int) -> bool:
        payloads = [json.loads(text) for text in self.socket]
        unsent_ms = sum(
            len(base64.b64decode(m["media"]["payload"])) // 8
            for m in payloads
            if m["event"] == "media"
        )
        message = self.playout.pause(Ms(now), unsent_ms=unsent_ms)
        if message is not None:
            self.socket = [message]
            self._flush(now)
        return message is not None

    def _echo(self, marks: list[str], now: int) -> None:
        for mark in marks:
            self.playout.mark_echoed(mark, Ms(now))


def whole(*ends_ms: int, text: str = "") -> Playout:
    """A reply of one segment whose words end there, all delivered."""
    playout = Playout("MZ1")
    playout.begin_reply(1)
    words = times(*ends_ms)
    playout.begin_segment(0, text or " ".join(word.word for word in words))
    playout.add(0, numbered(0, ends_ms[-1]), words)
    playout.end_reply()
    return playout


# --- begun ahead -----------------------------------------------------------------------------


def test_a_held_reply_sends_nothing_until_it_is_let_out() -> None:
    playout = Playout("MZ1")
    playout.begin_reply(1, held=True)
    playout.begin_segment(0, "an answer")
    playout.add(0, numbered(0, 200))
    playout.end_reply()

    assert playout.due(Ms(100)) == []
    assert playout.next_due(Ms(100)) is None
    assert playout.unheard_ms(Ms(100)) == 200
    playout.release()
    assert [item.audio_ms for item in playout.due(Ms(500))] == [200, 0]
    assert playout.starts_at_ms(0) == 500


def test_a_held_reply_that_is_dropped_leaves_nothing_to_clear() -> None:
    playout = Playout("MZ1")
    playout.begin_reply(1, held=True)
    playout.begin_segment(0, "an answer")
    playout.add(0, numbered(0, 200))

    assert playout.clear(Ms(100)) is None
    playout.release()
    assert playout.due(Ms(100)) == []
    assert playout.heard(Ms(100)).words == ""


# --- a pause ---------------------------------------------------------------------------------


def test_a_pause_clears_at_once_and_goes_on_with_the_first_word_that_was_not_heard_whole() -> None:
    line = Line(whole(300, 600, 900))
    for now in range(450):
        line.tick(now)

    assert line.pause(450)
    line.playout.release()
    for now in range(450, 2000):
        line.tick(now)

    assert line.played == [*range(440), *range(300, 900)]
    assert line.playout.is_drained
    assert line.playout.heard(Ms(2000)).words == "w0 w1 w2"


def test_what_is_left_is_known_at_the_pause() -> None:
    line = Line(whole(300, 600, 900))
    for now in range(450):
        line.tick(now)
    line.pause(450)

    assert line.playout.unheard_ms(Ms(450)) == 450
    assert line.playout.unheard_ms(Ms(900)) == 450, "time passes, and nothing plays"
    assert line.playout.is_whole
    assert line.playout.heard(Ms(900)).words == "w0"


def test_audio_that_comes_during_a_pause_is_kept() -> None:
    playout = Playout("MZ1")
    line = Line(playout)
    playout.begin_reply(1)
    playout.begin_segment(0, "w0 w1 w2")
    playout.add(0, numbered(0, 400), times(300))
    for now in range(250):
        line.tick(now)
    line.pause(250)
    assert not playout.is_whole
    playout.add(0, numbered(400, 500), times(300, 600, 900)[1:])
    playout.end_reply()
    for now in range(250, 600):
        line.tick(now)
    assert playout.unheard_ms(Ms(600)) == 650

    playout.release()
    for now in range(600, 2000):
        line.tick(now)

    assert line.played[-900:] == list(range(900))
    assert playout.heard(Ms(2000)).words == "w0 w1 w2"


def test_a_pause_after_the_last_sound_clears_nothing_and_lets_the_last_mark_count() -> None:
    line = Line(whole(300))
    line.pump(0)

    assert line.playout.pause(Ms(310)) is None
    assert line.playout.unheard_ms(Ms(310)) == 0
    assert line.playout.is_whole
    line.playout.mark_echoed("r1.s0.g1", Ms(340))
    assert line.playout.is_drained


def test_a_pause_between_two_deliveries_holds_what_comes_next() -> None:
    playout = Playout("MZ1")
    playout.begin_reply(1)
    playout.begin_segment(0, "first")
    playout.add(0, numbered(0, 100))
    playout.segment_done(0)
    playout.due(Ms(0))

    assert playout.pause(Ms(300)) is None, "nothing can be queued at the carrier"
    playout.begin_segment(1, "second")
    playout.add(1, numbered(100, 100))
    playout.end_reply()
    assert playout.due(Ms(300)) == []
    playout.release()
    assert [item.audio_ms for item in playout.due(Ms(400))] == [100, 0]


def test_audio_that_never_reached_the_socket_is_unheard_and_sent_again() -> None:
    line = Line(whole(300, 600, 900))
    line.tick(0)
    line.is_stuck = True
    for now in range(1, 700):
        line.tick(now)  # by the clock alone 700 ms are played; the carrier has 400

    line.is_stuck = False
    line.pause(700)
    assert line.playout.heard(Ms(700)).words == "w0"
    line.playout.release()
    for now in range(700, 2000):
        line.tick(now)

    assert line.played == [*range(400), *range(300, 900)]


def test_marks_of_before_a_pause_are_never_booked() -> None:
    playout = whole(300, 600)
    playout.add(0, b"")
    playout.due(Ms(0))
    playout.due(Ms(250))
    old = "r1.s0.g1"
    playout.pause(Ms(450))
    playout.mark_echoed(old, Ms(460))
    playout.release()
    playout.mark_echoed(old, Ms(470))

    assert not playout.is_drained
    assert playout.heard(Ms(470)).words == "w0"


def test_a_word_that_is_said_twice_is_one_word_though_the_reply_is_cut_then() -> None:
    playout = whole(300, 600)
    playout.due(Ms(0))
    playout.pause(Ms(310))  # `w0` has just ended: the frame that plays may still hold its end
    playout.release()
    playout.due(Ms(1000))

    playout.clear(Ms(1050))

    assert playout.heard(Ms(1050)).words == "w0"


def test_where_the_marks_come_late_the_last_word_is_not_believed_to_be_heard() -> None:
    playout = Playout("MZ1")
    playout.begin_reply(1)
    for number in (0, 1):
        playout.begin_segment(number, "w0 w1")
        playout.add(number, numbered(1000 * number, 1000), times(500, 1000))
        playout.segment_done(number)
    for now in range(0, 1200, 20):
        playout.due(Ms(now))
    playout.mark_echoed("r1.s0.g1", Ms(1150))  # 150 ms later than the clock has it
    for now in range(1200, 1800, 20):
        playout.due(Ms(now))

    playout.pause(Ms(1700))  # 550 ms of the second by the clock
    playout.release()

    assert playout.unheard_ms(Ms(1700)) == 450
    (again, *_) = [json.loads(item.message) for item in playout.due(Ms(1700))]
    assert numbers(base64.b64decode(again["media"]["payload"])) == list(range(1000, 1400))


def test_a_word_whose_last_frame_may_not_have_been_played_is_said_again() -> None:
    line = Line(whole(310, 600))
    for now in range(319):
        line.tick(now)  # 318 ms by the clock, and 300 in truth: the carrier plays whole frames

    line.pause(318)
    line.playout.release()
    for now in range(319, 1500):
        line.tick(now)

    assert line.played == [*range(300), *range(600)]


# --- where words end -------------------------------------------------------------------------


def test_without_word_times_words_are_spread_over_their_letters() -> None:
    spread = word_times("a longer word", (), audio_ms=1400, is_complete=True)

    assert [(w.start_ms, w.end_ms) for w in spread] == [(0, 200), (200, 900), (900, 1400)]
    assert heard_until(spread, 899) == "a"
    assert goes_on_at(spread, 899, is_complete=True) == 200


def test_the_first_audio_of_a_long_sentence_is_not_all_of_its_words() -> None:
    spread = word_times("one two three four five six", (), audio_ms=400, is_complete=False)

    assert heard_until(spread, 400) == "one"


def test_words_whose_times_are_still_coming_are_said_again() -> None:
    assert goes_on_at(times(300), 500, is_complete=False) == 300
    assert goes_on_at(times(300), 500, is_complete=True) == 500


# --- any reply, any pauses -------------------------------------------------------------------

SEGMENTS = st.lists(
    st.lists(st.integers(min_value=40, max_value=500), min_size=1, max_size=5),
    min_size=1,
    max_size=4,
)
PAUSES = st.lists(
    st.tuples(st.integers(min_value=0, max_value=900), st.integers(min_value=0, max_value=400)),
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(
    SEGMENTS,
    PAUSES,
    st.booleans(),
    st.booleans(),
    st.integers(min_value=0, max_value=300),
    st.integers(min_value=1, max_value=30),
)
def test_however_it_is_paused_all_of_it_is_heard_and_no_word_twice_whole(
    segments: list[list[int]],
    pauses: list[tuple[int, int]],
    has_times: bool,
    is_held: bool,
    between_ms: int,
    step_ms: int,
) -> None:
    """Segments of words of so many ms, one every `between_ms`; paused after so long, for so long."""
    playout = Playout("MZ1")
    line = Line(playout)
    playout.begin_reply(1, held=is_held)
    word_ends: list[int] = []
    deliveries: list[tuple[int, bytes, tuple[WordTime, ...]]] = []
    text = 0
    for number, lengths in enumerate(segments):
        begins = word_ends[-1] if word_ends else 0
        ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
        words = tuple(
            WordTime(word=f"w{text + n}", start_ms=end - length, end_ms=end)
            for n, (end, length) in enumerate(zip(ends, lengths, strict=True))
        )
        text += len(lengths)
        word_ends += [begins + end for end in ends]
        deliveries.append((number * between_ms, numbered(begins, ends[-1]), words))
    changes, at = [], 0
    for after_ms, for_ms in pauses:
        changes.append((at + after_ms, "pause"))
        changes.append((at + after_ms + for_ms, "release"))
        at += after_ms + for_ms
    if is_held:
        changes.insert(0, (0, "release"))
    now = 0
    while not (playout.is_drained and not changes) and now < 30_000:
        while deliveries and deliveries[0][0] <= now:
            number = len(segments) - len(deliveries)
            _, audio, words = deliveries.pop(0)
            playout.begin_segment(number, " ".join(word.word for word in words))
            playout.add(number, audio, words if has_times else ())
            playout.segment_done(number)
            if not deliveries:
                playout.end_reply()
        while changes and changes[0][0] <= now:
            _, change = changes.pop(0)
            if change == "pause":
                line.pause(now)
            else:
                playout.release()
        if now % 20 == 0 or now % step_ms == 0:
            line.tick(now)
        if now % 10 == 0:
            booked = playout.heard(Ms(now)).words.split()
            assert booked == [f"w{n}" for n in range(len(booked))], "each word once, and in order"
            if has_times and booked:
                frame_that_plays = 20
                assert word_ends[len(booked) - 1] <= max(line.played) + 1 + frame_that_plays
        now += 1

    assert playout.is_drained
    assert playout.heard(Ms(now)).words.split() == [f"w{n}" for n in range(text)]
    played = line.played
    assert set(played) == set(range(word_ends[-1])), "nothing is lost"
    jumps = [(before, after) for before, after in pairwise(played) if after != before + 1]
    assert all(after <= before for before, after in jumps), "nothing is passed over"
    assert len(jumps) <= len(pauses)
    if has_times:
        for before, after in jumps:
            again = [end for end in word_ends if after < end <= before + 1]
            assert len(again) <= 1, "at most the word in which the pause came is said again"
    ordered = [int(name[1:]) for name in line.generations]
    assert ordered == sorted(ordered), "nothing of an older generation goes out after a newer one"


def test_without_word_times_a_word_whose_end_is_near_is_said_again() -> None:
    """Four words of one length in 1200 ms: the second ends at 600 by the letters, and a voice is not that even."""
    playout = Playout("MZ1")
    playout.begin_reply(1)
    playout.begin_segment(0, "one two six ten")
    playout.add(0, numbered(0, 1200))
    playout.end_reply()
    line = Line(playout)
    for now in range(701):
        line.tick(now)
    assert line.pause(700)
    playout.release()
    for now in range(701, 2000):
        line.tick(now)
    before = next(at for at, (a, b) in enumerate(pairwise(line.played), 1) if b < a)
    assert line.played[before] == 300, "from the beginning of the second word"
    assert line.played[before:] == list(range(300, 1200))
