"""Every move of the table happens, nothing else does, and the drawing shows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callspine.checks.turn_diagram import PAGE, renewed
from media_gateway.turns.moves import Moves
from media_gateway.turns.table import TRANSITIONS
from media_gateway.turns.types import (
    DtmfHeard,
    FinalWords,
    Floor,
    HandOverDue,
    InterimWords,
    LineLost,
    Ms,
    OrderCame,
    ReplyFailed,
    ReplyPlayed,
    ReplyStarted,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
)
from tests.core.turn_driver import POLICY, Driver, answering, opened, speaking

Move = tuple[Floor, Floor]


def _caller() -> Driver:
    return opened().at(1500, SpeechStarted())


def _pause() -> Driver:
    return _caller().at(2100, SpeechStopped(at=Ms(2000)))


def _overlap() -> Driver:
    return speaking().at(4000, SpeechStarted())


def _thinking_overlap() -> Driver:
    return answering().at(2800, SpeechStarted())


def _must_say() -> Driver:
    return answering().at(3000, ReplyStarted(reply_id=2, interruptible=False))


CALLS: dict[Move, Callable[[], Driver]] = {
    (Floor.OPEN, Floor.CALLER): _caller,
    (Floor.OPEN, Floor.PAUSE): lambda: opened().at(1500, FinalWords(text="yes")),
    (Floor.OPEN, Floor.THINKING): lambda: opened().at(9000),
    (Floor.OPEN, Floor.ENDED): lambda: opened().at(1500, HandOverDue()),
    (Floor.CALLER, Floor.PAUSE): _pause,
    (Floor.CALLER, Floor.THINKING): lambda: _caller().at(1600, DtmfHeard(digit="9")),
    (Floor.CALLER, Floor.ENDED): lambda: _caller().at(1600, ScriptEnded()).at(1900),
    (Floor.PAUSE, Floor.CALLER): lambda: _pause().at(2200, SpeechStarted()),
    (Floor.PAUSE, Floor.THINKING): answering,
    (Floor.PAUSE, Floor.OPEN): lambda: _pause().at(2200, FinalWords(text="")).at(2700),
    (Floor.PAUSE, Floor.ENDED): lambda: _pause().at(2200, LineLost()),
    (Floor.THINKING, Floor.AGENT): speaking,
    (Floor.THINKING, Floor.OVERLAP): _thinking_overlap,
    (Floor.THINKING, Floor.CALLER): lambda: (
        answering()
        .at(2710, OrderCame())
        .at(2800, SpeechStarted())
        .at(2900, ReplyPlayed(reply_id=3))
    ),
    (Floor.THINKING, Floor.PAUSE): lambda: answering().at(2800, FinalWords(text="but not now")),
    (Floor.THINKING, Floor.OPEN): lambda: answering().at(2800, ReplyPlayed(reply_id=2)),
    (Floor.THINKING, Floor.THINKING): lambda: answering().at(2800, DtmfHeard(digit="9")),
    (Floor.THINKING, Floor.ENDED): lambda: answering().at(2800, LineLost()),
    (Floor.AGENT, Floor.AGENT): lambda: speaking().at(
        3100, ReplyStarted(reply_id=2, interruptible=False)
    ),
    (Floor.AGENT, Floor.OVERLAP): _overlap,
    (Floor.AGENT, Floor.CALLER): lambda: (
        _must_say().at(4000, SpeechStarted()).at(4100, ReplyPlayed(reply_id=2))
    ),
    (Floor.AGENT, Floor.PAUSE): lambda: speaking().at(4000, InterimWords(text="no")),
    (Floor.AGENT, Floor.OPEN): lambda: speaking().at(4000, ReplyPlayed(reply_id=2)),
    (Floor.AGENT, Floor.THINKING): lambda: speaking().at(4000, OrderCame()),
    (Floor.AGENT, Floor.ENDED): lambda: (
        speaking().at(3500, ScriptEnded()).at(4000, ReplyPlayed(reply_id=2)).at(4300)
    ),
    (Floor.OVERLAP, Floor.AGENT): lambda: _overlap().at(4100, SpeechStopped()).at(4400),
    (Floor.OVERLAP, Floor.THINKING): lambda: _thinking_overlap().at(2900, SpeechStopped()).at(3200),
    (Floor.OVERLAP, Floor.CALLER): lambda: _overlap().at(4100, InterimWords(text="no")),
    (Floor.OVERLAP, Floor.PAUSE): lambda: (
        _overlap().at(4100, SpeechStopped()).at(4200, InterimWords(text="no"))
    ),
    (Floor.OVERLAP, Floor.OPEN): lambda: (
        _overlap()
        .at(4100, SpeechStopped())
        .at(4150, FinalWords(text=""))
        .at(4200, ReplyFailed(reply_id=2))
    ),
    (Floor.OVERLAP, Floor.ENDED): lambda: _overlap().at(4100, LineLost()),
}


@pytest.mark.parametrize("move", TRANSITIONS, ids=lambda move: f"{move[0].name}-{move[1].name}")
def test_every_move_of_the_table_happens(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Move] = []
    plain = Moves._move

    def watched(self: Moves, floor: Floor) -> None:
        made.append((self._floor, floor))
        plain(self, floor)

    monkeypatch.setattr(Moves, "_move", watched)
    CALLS[move]()
    assert made[-1] == move


def test_every_floor_that_is_shown_here_leads_on_but_the_last() -> None:
    assert {old for old, _ in TRANSITIONS} == set(Floor) - {Floor.ENDED}
    assert {new for _, new in TRANSITIONS} == set(Floor)


def test_a_move_that_is_not_in_the_table_is_refused_and_changes_nothing() -> None:
    moves = Moves(POLICY)
    with pytest.raises(AssertionError, match="AGENT cannot follow OPEN"):
        moves._move(Floor.AGENT)
    assert moves._floor is Floor.OPEN


def test_the_drawing_is_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "run python -m callspine.checks.turn_diagram --write"


def test_a_page_without_a_place_for_the_drawing_says_so() -> None:
    with pytest.raises(ValueError, match="mermaid"):
        renewed("# Turn-taking\n")
