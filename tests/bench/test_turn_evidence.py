"""What an act came to, judged on records made by hand."""

from __future__ import annotations

from bench.turns.evidence import Claim, judge, ledger_errors
from bench.turns.record import FRAME_MS, Act, Kind, Record
from bench.turns.stamps import word_audio
from bench.turns.truth import AgentWord

MS = 8


def record(played: bytes, *, seconds: float = 20.0, clears_ms: tuple[int, ...] = ()) -> Record:
    """Frames on the beat; the first goes out at 100 s."""
    frames = int(seconds * 1000 / FRAME_MS)
    return Record(
        call=1,
        sent_s=[100 + n * FRAME_MS / 1000 for n in range(frames)],
        played=bytearray(played.ljust(frames * FRAME_MS * MS, b"\xff")),
        clears_s=[100 + at / 1000 for at in clears_ms],
    )


def words(*texts: str, context: str = "c", first: int = 1) -> dict[int, AgentWord]:
    return {
        first + n: AgentWord(number=first + n, text=text, context=context, ms=200)
        for n, text in enumerate(texts)
    }


def spoken(*numbers: int, at_ms: int = 0, ms: int = 200) -> bytes:
    return b"\xff" * (at_ms * MS) + b"".join(word_audio(number, ms) for number in numbers)


def act(kind: Kind, *parts_ms: tuple[int, int], whole: tuple[bool, ...] = ()) -> Act:
    return Act(kind=kind, what="it", parts_ms=parts_ms, pauses_whole=whole)


def test_latency_is_from_the_last_sound_to_the_first_audio_with_the_frame_that_carries_the_sound() -> (
    None
):
    kept = record(spoken(1, at_ms=1600))

    (answer,) = judge(kept, [act(Kind.ANSWER, (500, 1000))], words("Yes")).answers

    # The last sound's frame went out at 980 and was full then; the audio began to play at 1600.
    assert answer.latency_ms is not None
    assert round(answer.latency_ms) == 620


def test_audio_in_a_pause_is_a_cut_and_has_no_latency() -> None:
    kept = record(spoken(1, at_ms=1400))

    (answer,) = judge(
        kept, [act(Kind.ANSWER, (500, 1000), (1900, 2500), whole=(True,))], words("Yes")
    ).answers

    assert answer.pauses_cut == (True,)
    assert answer.latency_ms is None


def test_an_interruption_has_its_clear_and_what_was_heard_after_its_first_sound() -> None:
    kept = record(spoken(1, 2, 3, 4, 5, 6), clears_ms=(1120,))

    (found,) = judge(kept, [act(Kind.INTERRUPTION, (1020, 2000))], words(*"abcdef")).interruptions

    assert found.clear_ms is not None
    assert round(found.clear_ms) == 120
    assert found.heard_after_ms == 200


def test_a_reply_that_goes_on_from_the_broken_word_is_whole() -> None:
    played = spoken(1, 2, 3) + word_audio(4, 60)
    played = played.ljust(1200 * MS, b"\xff") + spoken(4, 5, 6, 7, 8)

    (over,) = judge(
        record(played), [act(Kind.BACKCHANNEL, (600, 900))], words(*"abcdefgh")
    ).spoken_over

    assert over.is_whole
    assert over.repeated_ms == 60
    assert over.resumed_ms is not None
    assert round(over.resumed_ms) == 320


def test_a_reply_that_goes_on_one_word_too_late_is_not_whole() -> None:
    played = (spoken(1, 2, 3) + word_audio(4, 60)).ljust(1200 * MS, b"\xff") + spoken(5, 6, 7, 8)

    (over,) = judge(
        record(played), [act(Kind.BACKCHANNEL, (600, 900))], words(*"abcdefgh")
    ).spoken_over

    assert not over.is_whole
    assert over.missing == ("d",)


def test_a_clear_without_a_sound_is_counted() -> None:
    kept = record(spoken(1, 2, 3), clears_ms=(300,))

    assert judge(kept, [act(Kind.ANSWER, (9000, 9500))], words(*"abc")).uncalled_clears == 1


def test_the_ledger_is_held_against_words_heard_whole() -> None:
    known = words("Some", "128", "of", "them")
    kept = record(spoken(1, 2) + word_audio(3, 100))

    def error(heard_words: str) -> list[int | None]:
        claim = Claim(reply_words="Some 128 of them", heard_words=heard_words, interrupted=True)
        return ledger_errors(kept, [claim], known)

    assert error("Some 128") == [0]
    assert error("Some") == [-1]
    assert error("Some 128 of them") == [2]


def test_an_opener_that_another_request_spoke_is_counted_as_heard_each_time() -> None:
    known = words("Got", "it.", context="opener") | words("Got", "128", "more", first=3)
    kept = record(spoken(1, 2) + spoken(1, 2, 3, 4))
    claim = Claim(
        reply_words="Got it. Got 128 more", heard_words="Got it. Got 128", interrupted=True
    )

    assert ledger_errors(kept, [claim], known) == [0]


def test_what_an_opener_and_its_reply_say_is_one_reply() -> None:
    known = words("Sure", context="opener") | words(*"abcdefgh", context="reply", first=2)
    kept = record(spoken(1, 2, 3, 4).ljust(1200 * MS, b"\xff") + spoken(5, 6, 7, 8))

    (over,) = judge(kept, [act(Kind.NOISE, (300, 700))], known).spoken_over

    assert over.missing == ("h",)
