"""What is left to say when a voice breaks off: no word twice, none lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.failover.ledger import Cut, Ledger, Pace
from media_gateway.failover.patience import FailoverPolicy, Patience
from media_gateway.speech.ports import WordTime

TEXT = "Hello there, how are you?"


def times(text: str, ms_per_word: int = 100) -> list[WordTime]:
    return [
        WordTime(word=word, start_ms=n * ms_per_word, end_ms=(n + 1) * ms_per_word)
        for n, word in enumerate(text.split())
    ]


def test_nothing_delivered_is_said_whole() -> None:
    ledger = Ledger()
    ledger.said(0, TEXT)
    ledger.said(3, "Fine.")
    rest = ledger.rest(Pace())
    assert rest.parts == ((0, TEXT), (3, "Fine."))
    assert rest.cut is None


def test_the_next_voice_begins_with_the_word_that_was_not_delivered_whole() -> None:
    ledger = Ledger()
    ledger.said(0, TEXT)
    ledger.said(1, "Fine.")
    ledger.delivered(0, 8 * 250, times(TEXT))
    rest = ledger.rest(Pace())
    assert rest.parts == ((0, "how are you?"), (1, "Fine."))
    assert rest.cut == Cut(segment=0, at_ms=200, words=())


def test_words_whose_times_did_not_come_yet_are_said_again() -> None:
    ledger = Ledger()
    ledger.said(0, TEXT)
    ledger.delivered(0, 8 * 500, times(TEXT)[:2])
    rest = ledger.rest(Pace())
    assert rest.parts == ((0, "how are you?"),)
    assert rest.cut == Cut(segment=0, at_ms=200, words=())


def test_the_pause_before_the_next_word_stays_with_the_first_voice() -> None:
    ledger = Ledger()
    ledger.said(0, "One. Two.")
    words = [
        WordTime(word="One.", start_ms=0, end_ms=100),
        WordTime(word="Two.", start_ms=400, end_ms=500),
    ]
    ledger.delivered(0, 8 * 450, words)
    assert ledger.rest(Pace()).cut == Cut(segment=0, at_ms=400, words=())


def test_a_segment_of_which_all_words_came_has_nothing_left() -> None:
    ledger = Ledger()
    ledger.said(0, TEXT)
    ledger.delivered(0, 8 * 500, times(TEXT))
    assert ledger.rest(Pace()).parts == ((0, ""),)


def test_a_voice_that_spells_words_in_its_own_way_is_still_followed() -> None:
    ledger = Ledger()
    ledger.said(0, "That's all-in, thanks a lot.")
    given = ["That's", "all", "in", "thanks", "a", "lot"]
    ledger.delivered(0, 8 * 400, times(" ".join(given)))
    assert ledger.rest(Pace()).parts == ((0, "a lot."),)


def test_words_that_are_not_those_of_the_text_are_placed_by_the_pace() -> None:
    ledger = Ledger()
    ledger.said(0, "It is $5 a month.")
    ledger.delivered(0, 8 * 600, times("it is five dollars a month"))
    rest = ledger.rest(Pace(ms_per_letter=50.0))
    assert rest.parts == ((0, "month."),)
    assert rest.cut is not None
    assert rest.cut.at_ms == 550


def test_without_word_times_the_pace_says_which_words_came_and_tells_their_times() -> None:
    ledger = Ledger()
    ledger.said(0, TEXT)
    ledger.delivered(0, 8 * 700, ())
    rest = ledger.rest(Pace(ms_per_letter=50.0))
    assert rest.parts == ((0, "how are you?"),)
    assert rest.cut is not None
    assert rest.cut.at_ms == 650
    assert [word.word for word in rest.cut.words] == ["Hello", "there,"]
    assert rest.cut.words[-1].end_ms == 650


def test_a_guess_never_takes_the_last_word_for_spoken() -> None:
    ledger = Ledger()
    ledger.said(0, TEXT)
    ledger.delivered(0, 8 * 9000, ())
    assert ledger.rest(Pace()).parts == ((0, "you?"),)


def test_the_second_voice_counts_from_where_it_took_over_and_can_fail_itself() -> None:
    ledger = Ledger()
    ledger.said(0, TEXT)
    ledger.delivered(0, 8 * 250, times(TEXT))
    ledger.taken_over(ledger.rest(Pace()))
    assert ledger.delivered(0, 8 * 100, times("how are you?")) == 200
    rest = ledger.rest(Pace())
    assert rest.parts == ((0, "are you?"),)
    assert rest.cut == Cut(segment=0, at_ms=300, words=())


def test_a_second_voice_without_word_times_gets_them_when_its_part_is_whole() -> None:
    ledger = Ledger()
    ledger.said(0, TEXT)
    ledger.delivered(0, 8 * 250, times(TEXT))
    ledger.taken_over(ledger.rest(Pace()))
    ledger.delivered(0, 8 * 300, ())
    told = ledger.done(0, Pace())
    assert [word.word for word in told] == ["how", "are", "you?"]
    assert told[0].start_ms == 200
    assert told[-1].end_ms == 500
    assert ledger.done(0, Pace()) == (), "once"
    assert not ledger.is_pending


def test_a_pace_is_learnt_from_whole_segments() -> None:
    pace = Pace(ms_per_letter=50.0)
    for _ in range(30):
        pace.learn(TEXT, 26 * 80)
    pace.learn("No.", 5000)
    assert 79 < pace.ms_per_letter < 81


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    delivered_ms=st.lists(st.integers(0, 700), min_size=1, max_size=4),
)
def test_wherever_voices_break_off_every_word_is_said_once(
    counts: list[int], delivered_ms: list[int]
) -> None:
    texts = [" ".join(f"w{n}x{k}" for k in range(count)) for n, count in enumerate(counts)]
    ledger, pace, heard = Ledger(), Pace(), dict[int, list[str]]()
    for segment, text in enumerate(texts):
        ledger.said(segment, text)
    for budget_ms in [*delivered_ms, 100_000]:
        rest = ledger.rest(pace)
        ledger.taken_over(rest)
        left_ms = budget_ms
        for segment, text in rest.parts:
            gives_ms = min(left_ms, 100 * len(text.split()))
            ledger.delivered(segment, 8 * gives_ms, times(text) if gives_ms else ())
            # Of the audio, what is whole stays: the rest is taken back.
            heard.setdefault(segment, []).extend(text.split()[: gives_ms // 100])
            left_ms -= gives_ms
            if gives_ms == 100 * len(text.split()):
                ledger.done(segment, pace)
            if not left_ms:
                break
    assert [" ".join(heard.get(n, [])) for n in range(len(texts))] == texts


def test_the_next_voice_is_asked_when_the_first_sound_is_late() -> None:
    patience = Patience(FailoverPolicy(first_audio_s=0.8, give_up_s=2.2))
    assert patience.next_voice_due_s is None
    patience.wanted(10.0)
    patience.wanted(10.5)
    assert patience.next_voice_due_s == 10.8
    patience.asked(10.8)
    assert patience.next_voice_due_s == pytest.approx(11.6)
    assert patience.give_up_due_s == pytest.approx(12.2)


def test_a_voice_that_was_quick_may_be_silent_while_its_audio_lasts() -> None:
    patience = Patience(FailoverPolicy(first_audio_s=0.8, give_up_s=2.2))
    patience.wanted(0.0)
    patience.sounded(0.2, 5.0, is_pending=True)
    assert patience.next_voice_due_s == 5.2 - 0.8
    assert patience.give_up_due_s == 5.2 + 2.2
    patience.sounded(0.3, 0.0, is_pending=False)
    assert patience.next_voice_due_s is None
    assert patience.give_up_due_s is None
