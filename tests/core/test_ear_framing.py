"""From messages to steps: written times, any sizes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from media_gateway.ears.counts import EarCounts
from media_gateway.ears.framing import (
    BELIEVED_AFTER,
    CONTEXT,
    GAP_MS,
    LATE_MS,
    LONGEST_BYTES,
    WINDOW,
    Framing,
)

AUDIO = bytes(n % 251 for n in range(8_000))


def steps(framing: Framing) -> list[tuple[bytes, int]]:
    found = []
    while framing.is_ready:
        found.append(framing.next())
    return found


@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=20))
def test_the_steps_are_the_same_whatever_the_sizes(sizes: list[int]) -> None:
    whole, framing = Framing(EarCounts()), Framing(EarCounts())
    whole.take(AUDIO, 0, 0)
    at, n, found = 0, 0, []
    while at < len(AUDIO):
        piece = AUDIO[at : at + sizes[n % len(sizes)]]
        assert not framing.take(piece, at // 8, 0)
        found += steps(framing)
        at, n = at + len(piece), n + 1
    assert [chunk for chunk, _ in found] == [chunk for chunk, _ in steps(whole)]
    assert all(len(chunk) == CONTEXT + WINDOW for chunk, _ in found)
    assert all(abs(end_ms - 32 * n) <= 1 for n, (_, end_ms) in enumerate(found, 1))


def test_each_step_begins_with_the_end_of_the_one_before() -> None:
    framing = Framing(EarCounts())
    framing.take(AUDIO[:2000], 0, 0)
    found = [chunk for chunk, _ in steps(framing)]
    assert found[0][:CONTEXT] == b"\xff" * CONTEXT
    for one, other in pairwise(found):
        assert other[:CONTEXT] == one[-CONTEXT:]
    assert b"".join(chunk[CONTEXT:] for chunk in found) == AUDIO[: len(found) * WINDOW]


def test_a_hole_shifts_nothing_that_comes_after_it() -> None:
    framing = Framing(EarCounts())
    framing.take(AUDIO[:256], 0, 0)
    assert steps(framing)[0][1] == 32
    assert not framing.take(AUDIO[256:512], 132, 100)
    assert steps(framing)[0][1] == 164


def test_a_gap_begins_afresh() -> None:
    counts = EarCounts()
    framing = Framing(counts)
    framing.take(AUDIO[:200], 0, 0)
    assert framing.take(AUDIO[200:456], 25 + GAP_MS, 225)
    ((chunk, end_ms),) = steps(framing)
    assert chunk == b"\xff" * CONTEXT + AUDIO[200:456]
    assert end_ms == 25 + GAP_MS + 32
    assert (counts.lost, counts.gaps) == (1, 1)


def test_what_was_heard_already_is_dropped_until_the_clock_is_believed() -> None:
    counts = EarCounts()
    framing = Framing(counts)
    framing.take(AUDIO[:160], 5000, 0)
    taken = [framing.take(AUDIO[:160], 20 * n, 0) for n in range(BELIEVED_AFTER + 1)]
    assert taken == [False] * (BELIEVED_AFTER - 1) + [True, False]
    assert (counts.doubled, counts.clock_jumps) == (BELIEVED_AFTER - 1, 1)
    assert framing.end_ms == 20 * (BELIEVED_AFTER + 1)


def test_no_more_than_a_second_waits() -> None:
    counts = EarCounts()
    framing = Framing(counts)
    for n in range(100):
        framing.take(bytes(160), 20 * n, 0)
    assert counts.overrun == 50
    assert framing.is_full
    found = steps(framing)
    assert len(found) == LONGEST_BYTES // WINDOW
    assert found[-1][1] <= 2000


def test_silence_that_is_filled_in_goes_on_in_time_and_late_audio_takes_it_back() -> None:
    counts = EarCounts()
    framing = Framing(counts)
    framing.take(AUDIO[:256], 0, 32)
    framing.fill()
    framing.fill()
    assert [end_ms for _, end_ms in steps(framing)] == [32, 64, 96]
    assert not framing.take(AUDIO[256:512], 32, 150)
    assert steps(framing)[0][1] == 64
    assert counts.lost == 0


def test_late_is_later_than_the_promptest() -> None:
    counts = EarCounts()
    framing = Framing(counts)
    framing.take(AUDIO[:160], 0, 520)
    framing.take(AUDIO[:160], 20, 500)
    assert counts.late == 0
    framing.take(AUDIO[:160], 40, 525 + LATE_MS)
    assert counts.late == 1
