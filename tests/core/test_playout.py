"""What goes out when, and what of it was heard: the mark ledger, by written times."""

from __future__ import annotations

import base64
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.speech.ports import WordTime
from media_gateway.turns.playout import AHEAD_MOST_MS, MARK_WAIT_MS, Outgoing, Playout
from media_gateway.turns.types import Ms
from rehearsal.carrier.playout import PlayoutBuffer


def _audio(ms: int) -> bytes:
    return b"\x20" * (8 * ms)


def _spoken(*segments: tuple[str, int]) -> Playout:
    """A reply whose segments (text, ms) are all delivered by the voice."""
    playout = Playout("MZ1")
    playout.begin_reply(1)
    for number, (text, ms) in enumerate(segments):
        playout.begin_segment(number, text, line_id=f"line{number}", must_say=number == 0)
        playout.add(number, _audio(ms))
        playout.segment_done(number)
    playout.end_reply()
    return playout


def _kinds(out: list[Outgoing]) -> list[str]:
    return [json.loads(item.message)["event"] for item in out]


def _marks(out: list[Outgoing]) -> list[str]:
    messages = [json.loads(item.message) for item in out]
    return [message["mark"]["name"] for message in messages if message["event"] == "mark"]


def test_a_short_segment_goes_out_at_once_with_its_mark() -> None:
    playout = _spoken(("hello there", 300))

    assert _kinds(playout.due(Ms(0))) == ["media", "mark"]
    assert playout.next_due(Ms(0)) is None


def test_a_long_segment_is_sent_as_it_plays() -> None:
    playout = _spoken(("a long one", 2000))
    sent_ms, now = 0, 0
    while (due := playout.next_due(Ms(now))) is not None:
        for item in playout.due(Ms(now)):
            if item.audio_ms:
                sent_ms += len(json.loads(item.message)["media"]["payload"]) * 3 // 4 // 8
        assert sent_ms - playout.playhead_ms(Ms(now)) <= AHEAD_MOST_MS
        now = max(due, now + 1)

    assert now >= 2000 - AHEAD_MOST_MS - 20


def test_less_than_a_frame_of_an_unfinished_segment_wakes_nobody() -> None:
    playout = Playout("MZ1")
    playout.begin_reply(1)
    playout.begin_segment(0, "a chunk that ends within a frame")
    playout.add(0, _audio(50))

    assert _kinds(playout.due(Ms(0))) == ["media"]
    assert playout.next_due(Ms(0)) is None
    playout.add(0, _audio(5))
    assert playout.next_due(Ms(10)) is None
    playout.segment_done(0)
    assert playout.next_due(Ms(10)) is not None
    assert _kinds(playout.due(Ms(11))) == ["media", "mark"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=400),
            st.integers(min_value=1, max_value=900),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_whenever_it_wants_to_be_woken_there_is_something_to_send(
    chunks: list[tuple[int, int, bool]],
) -> None:
    """Chunks of so many ms after so many ms, each the last of its segment or not."""
    playout, now, number = Playout("MZ1"), 0, 0
    playout.begin_reply(1)
    playout.begin_segment(0, "words")
    for pause_ms, length_ms, is_last in [*chunks, (0, 20, True)]:
        arrives = now + pause_ms
        while (due := playout.next_due(Ms(now))) is not None and due <= arrives:
            now = due
            assert playout.due(Ms(now))
        now = arrives
        playout.add(number, _audio(length_ms))
        if is_last:
            playout.segment_done(number)
            number += 1
            playout.begin_segment(number, "words")
        playout.due(Ms(now))


def test_what_is_heard_is_what_marks_say() -> None:
    playout = _spoken(("first one", 100), ("second one", 100))
    first, second = _marks(playout.due(Ms(0)))

    assert playout.heard(Ms(0)).lines == ()
    playout.mark_echoed(first, Ms(120))
    assert playout.heard(Ms(120)).lines == ("line0",)
    assert not playout.is_drained
    playout.mark_echoed(second, Ms(220))
    assert playout.heard(Ms(220)).words == "first one second one"
    assert playout.is_drained


def test_a_segment_starts_when_what_is_queued_before_it_has_played() -> None:
    playout = _spoken(("a filler", 300), ("the answer", 2000))

    assert playout.starts_at_ms(0) is None
    playout.due(Ms(1000))
    assert playout.starts_at_ms(0) == 1000
    assert playout.starts_at_ms(1) == 1300
    assert playout.starts_at_ms(2) is None


def test_a_segment_that_comes_after_a_gap_starts_when_it_is_sent() -> None:
    playout = Playout("MZ1")
    playout.begin_reply(1)
    for number, now in enumerate((1000, 1700)):
        playout.begin_segment(number, "words")
        playout.add(number, _audio(300))
        playout.segment_done(number)
        playout.due(Ms(now))

    assert [playout.starts_at_ms(0), playout.starts_at_ms(1)] == [1000, 1700]


def test_a_segment_that_waits_for_room_is_placed_when_it_is_sent() -> None:
    playout = _spoken(("long words", 1000), ("more words", 1000))
    now = 0
    while playout.starts_at_ms(1) is None:
        playout.due(Ms(now))
        now += 20

    assert playout.starts_at_ms(1) == 1000
    assert now < 1000


def test_the_echo_of_a_mark_moves_what_is_sent_after_it() -> None:
    """The carrier played the first segment 80 ms later than the clock says."""
    playout = _spoken(("first", 100))
    (mark,) = _marks(playout.due(Ms(0)))
    playout.mark_echoed(mark, Ms(180))
    playout.begin_segment(1, "second")
    playout.add(1, _audio(100))
    playout.segment_done(1)
    playout.due(Ms(180))

    assert playout.starts_at_ms(1) == 180


def test_a_segment_that_was_cleared_before_its_first_sound_never_started() -> None:
    playout = _spoken(("first", 300), ("second", 300))
    playout.due(Ms(0))
    assert playout.starts_at_ms(1) == 300

    playout.clear(Ms(200))

    assert playout.starts_at_ms(0) == 0
    assert playout.starts_at_ms(1) is None


def test_marks_echoed_by_a_clear_are_never_booked_as_heard() -> None:
    playout = _spoken(("one two three four", 400))
    (mark,) = _marks(playout.due(Ms(0)))

    message = playout.clear(Ms(100))
    playout.mark_echoed(mark, Ms(110))

    assert message is not None
    assert json.loads(message)["event"] == "clear"
    heard = playout.heard(Ms(110))
    assert heard.lines == ()
    assert heard.words == "one"
    assert not playout.is_drained


def test_word_times_tell_which_words_were_heard() -> None:
    playout = Playout("MZ1")
    playout.begin_reply(1)
    playout.begin_segment(0, "slow quick end")
    times = [("slow", 0, 300), ("quick", 300, 350), ("end", 350, 400)]
    words = tuple(WordTime(word=w, start_ms=s, end_ms=e) for w, s, e in times)
    playout.add(0, _audio(400), words)
    playout.end_reply()
    playout.due(Ms(0))

    playout.clear(Ms(360))

    assert playout.heard(Ms(900)).words == "slow quick"


def test_nothing_is_cleared_when_nothing_can_be_queued() -> None:
    playout = _spoken(("hello", 100))
    assert playout.clear(Ms(0)) is None

    playout = _spoken(("hello", 100))
    (mark,) = _marks(playout.due(Ms(0)))
    playout.mark_echoed(mark, Ms(100))
    assert playout.clear(Ms(120)) is None


def test_late_audio_of_a_cut_reply_is_dropped() -> None:
    playout = _spoken(("hello there you", 1000))
    playout.due(Ms(0))
    playout.clear(Ms(50))

    playout.add(0, _audio(500))

    assert playout.due(Ms(60)) == []
    assert playout.next_due(Ms(60)) is None


def test_a_new_reply_starts_from_nothing() -> None:
    playout = _spoken(("hello there you", 1000))
    old = _marks(playout.due(Ms(0)))
    playout.clear(Ms(50))
    playout.begin_reply(2)
    playout.begin_segment(0, "again")
    playout.add(0, _audio(100))
    playout.end_reply()
    (mark,) = _marks(playout.due(Ms(60)))

    assert mark not in old
    assert playout.playhead_ms(Ms(100)) == 40


def test_the_playhead_never_passes_what_was_sent() -> None:
    playout = _spoken(("hello", 100))
    playout.due(Ms(0))

    assert playout.playhead_ms(Ms(5000)) == 100


def test_must_say_segments_make_a_reply_uninterruptible_until_they_are_heard() -> None:
    playout = _spoken(("disclosure", 100), ("question", 100))
    first, _ = _marks(playout.due(Ms(0)))

    assert not playout.is_interruptible
    assert playout.interruptibility_changed()
    playout.mark_echoed(first, Ms(100))
    assert playout.is_interruptible
    assert playout.interruptibility_changed()
    assert not playout.interruptibility_changed()


def test_a_later_mark_tells_that_what_was_before_it_was_played_too() -> None:
    playout = _spoken(("disclosure", 100), ("question", 100))
    _, second = _marks(playout.due(Ms(0)))

    playout.mark_echoed(second, Ms(220))

    assert playout.is_interruptible
    assert playout.is_drained
    assert playout.heard(Ms(220)).lines == ("line0", "line1")


def test_a_last_mark_that_never_comes_is_not_waited_for_and_is_no_proof() -> None:
    playout = _spoken(("disclosure", 100), ("question", 100))
    first, second = _marks(playout.due(Ms(0)))
    playout.mark_echoed(first, Ms(120))

    lost_at = Ms(220 + MARK_WAIT_MS)
    assert playout.mark_lost_at == lost_at
    assert not playout.give_up_marks(Ms(lost_at - 1))
    assert playout.give_up_marks(lost_at)
    assert playout.is_drained
    assert playout.mark_lost_at is None
    heard = playout.heard(lost_at)
    assert (heard.words, heard.lines) == ("disclosure question", ("line0",))

    playout.mark_echoed(second, Ms(lost_at + 50))  # it was only late
    assert playout.heard(Ms(lost_at + 50)).lines == ("line0", "line1")


def test_a_reply_that_is_held_or_cut_waits_for_no_mark() -> None:
    playout = _spoken(("one two three four", 400))
    playout.due(Ms(0))
    playout.pause(Ms(100))
    assert playout.mark_lost_at is None
    playout.release()
    playout.due(Ms(5000))
    assert playout.mark_lost_at is not None
    playout.clear(Ms(5100))
    assert playout.mark_lost_at is None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(min_value=20, max_value=1500), min_size=1, max_size=5),
    st.integers(min_value=0, max_value=4000),
    st.integers(min_value=1, max_value=40),
)
def test_against_a_truthful_carrier_no_unheard_word_is_ever_booked(
    lengths_ms: list[int], cut_at_ms: int, step_ms: int
) -> None:
    """Whatever is cut whenever: the words booked were all played before the cut."""
    playout = _spoken(*((f"w{n} x{n} y{n} z{n}", ms) for n, ms in enumerate(lengths_ms)))
    carrier, played_ms = PlayoutBuffer(), 0
    for now in range(cut_at_ms + 1):
        for item in playout.due(Ms(now)) if now % step_ms == 0 else ():
            message = json.loads(item.message)
            if message["event"] == "media":
                carrier.add(base64.b64decode(message["media"]["payload"]))
            else:
                for mark in carrier.mark(message["mark"]["name"]):
                    playout.mark_echoed(mark, Ms(now))
        if now % 20 == 0:
            waiting = carrier.waiting_bytes
            _, marks = carrier.play()
            played_ms += (waiting - carrier.waiting_bytes) // 8
            for mark in marks:
                playout.mark_echoed(mark, Ms(now))
    playout.clear(Ms(cut_at_ms))
    for mark in carrier.clear():
        playout.mark_echoed(mark, Ms(cut_at_ms))

    booked_words = len(playout.heard(Ms(cut_at_ms)).words.split())
    whole, left_ms = 0, played_ms + 20  # the frame that plays
    for ms in lengths_ms:
        padded = -(-ms // 20) * 20
        share = min(1.0, left_ms / padded)
        whole += int(4 * share)
        left_ms -= padded
        if left_ms <= 0:
            break
    assert booked_words <= whole
