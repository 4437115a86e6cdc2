"""A call is recorded after a yes to a line that was heard, until a no: whatever is proposed, in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.scripts import (
    ANNOUNCED,
    HEARD_CONSENT,
    HEARD_DISCLOSURE,
    RECORDED,
    SMALL,
    TODAY,
    move,
    run,
)
from workflows.contracts.payloads import TurnCompleted, TurnHeard, TurnKind
from workflows.script.compiled import STOP_RECORDING_MOVE
from workflows.script.effects import Effect, SpeakLine, StartRecording, StopRecording
from workflows.script.events import (
    CallAnswered,
    CallEnded,
    CallerSilent,
    CallResumed,
    DtmfPressed,
    Order,
    ReplyHeard,
    ScriptEvent,
    SupervisorOrdered,
)
from workflows.script.fixed_lines import fixed_lines
from workflows.script.machine import advance, initial_state
from workflows.script.model import Recording, Script
from workflows.script.moves import allowed_moves
from workflows.script.parse import ScriptError, parse_script
from workflows.script.recording import is_recorded
from workflows.script.state import ScriptState, digest
from workflows.turn_book import TurnBook

CONSENT = parse_script(RECORDED, name="recorded.yaml")
DISCLOSED = parse_script(ANNOUNCED, name="announced.yaml")
PLAIN = parse_script(SMALL, name="small.yaml")
AGREED = (HEARD_CONSENT, move("agrees"))
DISCLOSURE, QUESTION = "disclosure.opening", "consent.opening"


def names(state: ScriptState) -> set[str]:
    return {one.name for one in allowed_moves(CONSENT, state)}


def test_a_yes_to_a_question_that_was_heard_starts_it() -> None:
    state, effects = advance(CONSENT, run(CONSENT, HEARD_CONSENT), move("agrees"))
    assert StartRecording() in effects
    assert is_recorded(CONSENT, state)
    assert state.stage == "ask"


def test_a_yes_to_half_a_question_is_asked_again_in_full() -> None:
    state, effects = advance(CONSENT, run(CONSENT), move("agrees"))
    (said,) = effects
    assert isinstance(said, SpeakLine)
    assert (said.line_id, said.must_say) == (QUESTION, True)
    assert state.stage == "consent"
    assert not is_recorded(CONSENT, state)


def test_a_no_goes_on_without_it() -> None:
    state, effects = advance(CONSENT, run(CONSENT, HEARD_CONSENT), move("refuses"))
    assert StartRecording() not in effects
    assert (state.stage, is_recorded(CONSENT, state)) == ("ask", False)
    assert STOP_RECORDING_MOVE not in names(state), "there is nothing to stop"


def test_an_objection_stops_it_and_the_call_goes_on() -> None:
    recorded = run(CONSENT, *AGREED)
    assert STOP_RECORDING_MOVE in names(recorded)
    state, effects = advance(CONSENT, recorded, move(STOP_RECORDING_MOVE))
    assert StopRecording() in effects
    said = [one.text for one in effects if isinstance(one, SpeakLine)]
    assert said == ["Of course, this call is not recorded from here on.", "How old are you?"]
    assert (state.stage, state.outcome) == ("ask", None)
    assert STOP_RECORDING_MOVE not in names(state)


@pytest.mark.parametrize(
    "event",
    [
        move("opt_out"),
        DtmfPressed(digit="9"),
        move("human"),
        SupervisorOrdered(order=Order.TAKE_OVER, target="+12125550111"),
    ],
)
def test_an_opt_out_and_a_hand_over_stop_it(event: ScriptEvent) -> None:
    state, effects = advance(CONSENT, run(CONSENT, *AGREED), event)
    assert StopRecording() in effects
    assert not is_recorded(CONSENT, state)


def test_an_objection_with_the_last_words_counts() -> None:
    over = run(CONSENT, *AGREED, move("done"))
    assert is_recorded(CONSENT, over)
    state, effects = advance(CONSENT, over, move(STOP_RECORDING_MOVE))
    assert StopRecording() in effects
    assert not is_recorded(CONSENT, state)


def test_an_announced_recording_starts_when_the_announcement_was_heard() -> None:
    state = initial_state(DISCLOSED)
    state, effects = advance(DISCLOSED, state, CallAnswered(today=TODAY))
    said = next(one for one in effects if isinstance(one, SpeakLine))
    assert "on a recorded line" in said.text
    assert said.text in fixed_lines(DISCLOSED)
    state, effects = advance(DISCLOSED, state, ReplyHeard(heard_words="Hi", interrupted=True))
    assert effects == ()
    state, effects = advance(DISCLOSED, state, HEARD_DISCLOSURE)
    assert effects == (StartRecording(),)
    assert advance(DISCLOSED, state, HEARD_DISCLOSURE)[1] == ()


def test_an_objection_over_the_announcement_keeps_it_from_starting() -> None:
    state, _ = advance(DISCLOSED, initial_state(DISCLOSED), CallAnswered(today=TODAY))
    state, _ = advance(DISCLOSED, state, move(STOP_RECORDING_MOVE))
    state, effects = advance(DISCLOSED, state, HEARD_DISCLOSURE)
    assert effects == ()
    assert not is_recorded(DISCLOSED, state)


def test_a_script_without_recording_is_as_it_was() -> None:
    state = run(PLAIN)
    assert PLAIN.recording is Recording.OFF
    assert STOP_RECORDING_MOVE not in {one.name for one in allowed_moves(PLAIN, state)}
    assert not any("recorded" in line for line in fixed_lines(PLAIN))


def test_the_digest_of_a_call_that_is_not_recorded_is_that_of_older_releases() -> None:
    state = ScriptState(stage="ask", today=TODAY)
    assert digest(state) == "5f11b2d68b22ccba"
    assert digest(run(CONSENT, *AGREED)) != digest(run(CONSENT, HEARD_CONSENT, move("refuses")))


# --- what is refused at load -----------------------------------------------------------------


@pytest.mark.parametrize("value", ["off", "'off'"])
def test_off_is_off_however_yaml_reads_it(value: str) -> None:
    script = parse_script(SMALL + f"recording: {value}\n", name="small.yaml")
    assert script.recording is Recording.OFF


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("after_consent", "always", "`always` is no time to record"),
        ("after_consent", "true", "`True` is no time to record"),
        ("        consents_to_recording: true\n", "", "no move gives it"),
        ("recording: after_consent\n", "", "consents to a recording that is never made so"),
        ("    must_say: true\n", "", "a line that may be cut short"),
        ("May I record this call, so that", "Let us begin, so that", "does not say that the call"),
        ("        description: the caller does not want a recording\n        to: ask\n",
         "        description: a no\n        line: Hm.\n", "has no way on"),
        ("        consents_to_recording: true\n        to: ask\n",
         "        consents_to_recording: true\n        line: Good.\n", "consents and stays"),
        ("        consents_to_recording: true\n",
         "        consents_to_recording: true\n        when_complete: true\n", "would consent by itself"),
    ],
)  # fmt: skip
def test_a_script_that_would_record_without_asking_is_refused(
    old: str, new: str, what: str
) -> None:
    assert RECORDED.count(old) == 1
    with pytest.raises(ScriptError, match=what):
        parse_script(RECORDED.replace(old, new), name="recorded.yaml")


def test_nobody_else_may_have_a_must_say_line_in_the_middle() -> None:
    text = RECORDED.replace(
        "    opening: How old are you?\n", "    opening: How old?\n    must_say: true\n"
    )
    with pytest.raises(ScriptError, match="could be skipped"):
        parse_script(text, name="recorded.yaml")


# --- whatever happens ------------------------------------------------------------------------

EVENTS: st.SearchStrategy[ScriptEvent] = st.one_of(
    st.builds(
        move,
        st.sampled_from(
            ["agrees", "refuses", "done", STOP_RECORDING_MOVE, "opt_out", "human", "continue_stage",
             "call_back", "robot_question", "", "nonsense"]
        ),
    ),
    st.just(HEARD_DISCLOSURE),
    st.just(HEARD_CONSENT),
    st.just(ReplyHeard(heard_words="x", interrupted=True)),
    st.just(CallerSilent()),
    st.just(CallResumed()),
    st.builds(DtmfPressed, digit=st.sampled_from("90")),
    st.builds(
        SupervisorOrdered,
        order=st.sampled_from(Order),
        target=st.sampled_from(["consent", "ask", "end", "", "+12125550111"]),
    ),
    st.just(CallEnded()),
)  # fmt: skip


@pytest.mark.parametrize("script", [CONSENT, DISCLOSED, PLAIN], ids=lambda one: str(one.recording))
@settings(max_examples=300, deadline=None)
@given(stream=st.lists(EVENTS, max_size=25))
def test_it_starts_once_at_most_after_what_must_be_heard_and_never_after_it_was_stopped(
    script: Script, stream: list[ScriptEvent]
) -> None:
    state, _ = advance(script, initial_state(script), CallAnswered(today=TODAY))
    seen: list[Effect] = []
    for event in stream:
        heard_before = set(state.lines_heard)
        state, effects = advance(script, state, event)
        for effect in effects:
            if isinstance(effect, StartRecording):
                assert script.records
                assert DISCLOSURE in state.lines_heard
                if script.recording is Recording.AFTER_CONSENT:
                    assert QUESTION in heard_before
                    assert event == move("agrees")
                assert not seen, "it starts first, and once"
            if isinstance(effect, StartRecording | StopRecording):
                seen.append(effect)
        assert is_recorded(script, state) == (bool(seen) and seen[-1] == StartRecording())
    assert seen in ([], [StartRecording()], [StartRecording(), StopRecording()])


# --- the book of turns -----------------------------------------------------------------------


def a_book() -> TurnBook:
    book = TurnBook(CONSENT, initial_state(CONSENT), TODAY)
    book.new_epoch()
    book.take(TurnCompleted(epoch=1, seq=1, kind=TurnKind.OPENING))
    return book


def reply(seq: int, name: str, epoch: int = 1, lines: tuple[str, ...] = ()) -> TurnCompleted:
    return TurnCompleted(
        epoch=epoch,
        seq=seq,
        kind=TurnKind.REPLY,
        move=name,
        before=TurnHeard(seq=seq - 1, lines_heard=list(lines)),
    )


def test_the_book_records_from_the_turn_that_consents() -> None:
    book = a_book()
    assert not book.is_recorded
    book.take(reply(2, "agrees", lines=(DISCLOSURE, QUESTION)))
    assert book.is_recorded


@pytest.mark.parametrize("name", [STOP_RECORDING_MOVE, "opt_out"])
def test_a_stale_gateways_word_that_the_caller_wants_none_stops_it(name: str) -> None:
    book = a_book()
    book.take(reply(2, "agrees", lines=(DISCLOSURE, QUESTION)))
    book.new_epoch()
    book.take(reply(3, name, epoch=1))
    assert not book.is_recorded


def test_words_that_were_heard_in_one_message_with_an_opt_out_start_nothing() -> None:
    book = TurnBook(DISCLOSED, initial_state(DISCLOSED), TODAY)
    book.new_epoch()
    book.take(TurnCompleted(epoch=1, seq=1, kind=TurnKind.OPENING))
    book.take(reply(2, "opt_out", lines=(DISCLOSURE,)))
    assert not book.is_recorded
