"""The carrier's playout buffer: what Twilio documents of `mark` and `clear`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rehearsal.carrier.playout import FRAME_BYTES, PlayoutBuffer


def test_a_mark_is_told_when_what_came_before_it_was_played() -> None:
    buffer = PlayoutBuffer()
    buffer.add(b"a" * FRAME_BYTES * 2)
    assert buffer.mark("half") == []
    buffer.add(b"b" * 80)
    assert buffer.mark("end") == []
    assert buffer.play() == (b"a" * 160, [])
    assert buffer.play() == (b"a" * 160, ["half"])
    assert buffer.play() == (b"b" * 80 + b"\xff" * 80, ["end"])
    assert buffer.play() == (b"\xff" * 160, [])


def test_a_mark_behind_nothing_is_told_at_once() -> None:
    assert PlayoutBuffer().mark("now") == ["now"]


def test_clear_drops_the_audio_and_tells_every_mark_in_order() -> None:
    buffer = PlayoutBuffer()
    for name in ("first", "second"):
        buffer.add(b"a" * 4000)
        buffer.mark(name)
    assert buffer.clear() == ["first", "second"]
    assert buffer.waiting_bytes == 0
    assert buffer.play() == (b"\xff" * 160, [])
    assert buffer.clear() == []


ITEMS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=700),
        st.integers(0, 99).map(str),
        st.just(None),  # play a frame
    )
)


@given(ITEMS)
def test_no_byte_and_no_mark_is_lost_or_told_twice(items: list[bytes | str | None]) -> None:
    buffer = PlayoutBuffer()
    played, told = bytearray(), list[str]()
    for item in items:
        if item is None:
            frame, marks = buffer.play()
            played += frame
            told += marks
        elif isinstance(item, bytes):
            buffer.add(item.replace(b"\xff", b"\xfe"))
        else:
            told += buffer.mark(item)
    while buffer.waiting_bytes:
        frame, marks = buffer.play()
        played += frame
        told += marks
    audio = b"".join(item for item in items if isinstance(item, bytes)).replace(b"\xff", b"\xfe")
    assert bytes(played).replace(b"\xff", b"") == audio
    assert told == [item for item in items if isinstance(item, str)]
