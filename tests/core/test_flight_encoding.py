"""What a flight file holds comes back as it was, and what is wrong with one is named."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.flight.encoding import (
    COMMANDS,
    EVENTS,
    Step,
    encode_dropped,
    encode_header,
    encode_step,
)
from media_gateway.flight.reading import FlightUnreadable, fits, read_flight
from media_gateway.turns.types import BeginReply, FinalWords, Ms, ReplyStarted, SpeechStopped
from tests.core.flights import header, written

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(min_value=0, max_value=10**9),
    float: st.floats(min_value=0, max_value=1),
    str: st.text(),
    bool: st.booleans(),
}


def _value(hint: Any) -> st.SearchStrategy[Any]:
    hint = getattr(hint, "__supertype__", hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    return st.none() | _SCALARS[int]


def _things(kinds: Any) -> st.SearchStrategy[Any]:
    return st.one_of(
        *(
            st.builds(kind, **{name: _value(hint) for name, hint in get_type_hints(kind).items()})
            for kind in kinds
        )
    )


_steps = st.lists(
    st.builds(
        lambda now, event, commands: Step(now=Ms(now), event=event, commands=commands),
        st.integers(min_value=0, max_value=10**7),
        st.none() | _things(EVENTS.values()),
        st.none() | st.lists(_things(COMMANDS.values()), max_size=3).map(tuple),
    ),
    max_size=8,
).map(lambda steps: sorted(steps, key=lambda step: step.now))

STEPS = [
    Step(now=Ms(2100), event=SpeechStopped(at=Ms(2000)), commands=()),
    Step(now=Ms(2300), event=FinalWords(text="ja, für 3 Jahre"), commands=()),
    Step(now=Ms(2700), event=None, commands=(BeginReply(reply_id=2, caller_words="ja"),)),
]


@pytest.mark.parametrize("kind", [*EVENTS.values(), *COMMANDS.values()], ids=lambda k: k.__name__)
def test_every_field_of_the_vocabulary_is_a_scalar_that_can_be_read_back(kind: type[Any]) -> None:
    samples: list[Any] = [1, 0.5, "x", True, None]
    for name, hint in get_type_hints(kind).items():
        assert any(fits(value, hint) for value in samples), f"{kind.__name__}.{name}"


@given(_steps)
def test_what_is_written_is_read_as_it_was(steps: list[Step]) -> None:
    flight = read_flight(written(steps))
    assert list(flight.steps) == steps
    assert flight.header == header()
    assert flight.is_closed
    assert flight.damage is None


@given(_steps, st.data())
def test_a_file_that_breaks_off_anywhere_is_read_up_to_there(
    steps: list[Step], data: st.DataObject
) -> None:
    content = written(steps)
    cut = data.draw(st.integers(min_value=0, max_value=len(content) - 1))
    if cut < len(encode_header(header())) - 1:
        with pytest.raises(FlightUnreadable):
            read_flight(content[:cut])
        return
    flight = read_flight(content[:cut])
    assert list(flight.steps) == steps[: len(flight.steps)]
    assert not flight.is_closed
    is_whole_line = cut >= len(encode_header(header())) and content[cut - 1 : cut] == b"\n"
    is_bare_header = cut == len(encode_header(header())) - 1
    assert (flight.damage is None) == (is_whole_line or is_bare_header)


def test_half_a_surrogate_pair_of_a_vendor_survives() -> None:
    step = Step(now=Ms(1), event=FinalWords(text="a\ud83d"), commands=())
    assert read_flight(written([step])).steps == (step,)


def test_a_line_is_short_and_can_be_read_by_people() -> None:
    lines = [encode_step(step).decode() for step in STEPS]
    assert lines == [
        '[2100,"SpeechStopped",[2000],[]]\n',
        '[2300,"FinalWords",["ja, für 3 Jahre"],[]]\n',
        '[2700,"timer",[],[["BeginReply",2,"ja",false]]]\n',
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\x00\x00\x00", "not JSON"),
        (b'{"now":1}', "no step"),
        (b'[2200,"SpeechStopped",[2000]]', "no step"),
        (b'[-1,"timer",[],[]]', "no step"),
        (b'[true,"timer",[],[]]', "no step"),
        (b'[2200,"SpeechStopped",["soon"],[]]', "SpeechStopped.at is not of its type"),
        (b'[2200,"SpeechStopped",[1,2],[]]', "has 2 fields, and the first line lists 1"),
        (b'[2200,"MindRead",[],[]]', "'MindRead' is unknown to this callspine: use 0.1.0"),
        (b'[2200,"timer",[],[["Whistle",2]]]', "'Whistle' is unknown"),
        (b'[2200,"timer",[],[7]]', "a command is no list"),
        (b'[5,"timer",[],[]]', "time goes back from 2100 to 5 ms"),
        (b'["dropped",3]', "3 steps are missing"),
        (b'["end",1]', "something follows the end"),
    ],
)
def test_a_damaged_line_is_named_and_what_is_before_it_can_be_used(
    line: bytes, reason: str
) -> None:
    lines = written(STEPS).split(b"\n")
    flight = read_flight(b"\n".join([*lines[:2], line, *lines[2:]]))
    assert flight.damage is not None
    assert flight.damage.line == 3
    assert reason in flight.damage.reason
    assert flight.steps == (STEPS[0],)


def test_a_missing_line_is_noticed_at_the_end() -> None:
    lines = written(STEPS).split(b"\n")
    flight = read_flight(b"\n".join([*lines[:2], *lines[3:]]))
    assert flight.damage is not None
    assert "closes after 3 steps, and 2 are there" in flight.damage.reason


def test_a_gap_of_the_recorder_is_told_with_its_size() -> None:
    flight = read_flight(
        encode_header(header()) + encode_step(STEPS[0]) + encode_dropped(12) + encode_step(STEPS[1])
    )
    assert flight.damage is not None
    assert "12 steps are missing" in flight.damage.reason


def _changed(**changes: Any) -> bytes:
    first, _, rest = written(STEPS).partition(b"\n")
    return json.dumps({**json.loads(first), **changes}).encode() + b"\n" + rest


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its first line is not JSON"),
        (b"hello\n", "its first line is not JSON"),
        (b'{"a":1}\n', 'does not say "callspine-flight"'),
        (_changed(version=2, callspine="0.9.0"), "use callspine 0.9.0"),
        (_changed(policy={"mood_ms": 3}, callspine="0.9.0"), "has 'mood_ms'"),
        (_changed(policy={"end_pause_ms": "long"}), "end_pause_ms is 'long'"),
        (_changed(policy=3), "first line is damaged"),
        (_changed(epoch=None), "first line is damaged"),
        (_changed(classes=[]), "first line is damaged"),
    ],
)
def test_a_file_of_no_use_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(FlightUnreadable) as refused:
        read_flight(content)
    assert reason in str(refused.value)


def test_fields_that_an_older_file_does_not_know_have_their_defaults() -> None:
    policy = {"end_pause_ms": 650}
    classes = {
        "ReplyStarted": ["interruptible", "reply_id"],
        "BeginReply": ["caller_words", "reply_id"],
    }
    first = _changed(policy=policy, classes=classes).partition(b"\n")[0]
    lines = [
        first,
        b'[5,"ReplyStarted",[true,4],[]]',
        b'[6,"timer",[],[["BeginReply","ja",5]]]',
        b"",
    ]
    flight = read_flight(b"\n".join(lines))
    assert flight.header.policy.end_pause_ms == 650
    assert "silence_ms" in flight.assumed
    assert flight.steps[0].event == ReplyStarted(reply_id=4, interruptible=True)
    assert flight.steps[1].commands == (BeginReply(reply_id=5, caller_words="ja"),)


def test_a_field_that_is_needed_and_not_there_names_the_version() -> None:
    first = _changed(classes={"ReplyStarted": ["reply_id"]}).partition(b"\n")[0]
    flight = read_flight(first + b'\n[5,"ReplyStarted",[4],[]]\n')
    assert flight.damage is not None
    assert (
        flight.damage.reason
        == "ReplyStarted lacks interruptible: use callspine 0.1.0, which wrote it"
    )
