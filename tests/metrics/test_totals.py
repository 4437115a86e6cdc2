"""What became of turns, added up over calls that are over and calls that go on: it never goes back."""

from __future__ import annotations

from dataclasses import dataclass, field

from media_gateway.sessions import Sessions
from media_gateway.turn_totals import TurnTotals
from workflows.contracts.payloads import AfterStream, Directive, DirectiveDone


@dataclass
class Call:
    """Implements LiveCall."""

    call_id: str
    totals: TurnTotals = field(default_factory=TurnTotals)
    ending: AfterStream | None = None

    def direct(self, directive: Directive) -> DirectiveDone:
        return DirectiveDone(accepted=False)

    def hand_over(self) -> None:
        return

    def break_off(self) -> None:
        return


def _answered(sessions: Sessions) -> int:
    return sessions.totals_so_far().counts.turns_answered


def _end(sessions: Sessions, call: Call) -> None:
    """As a session does it."""
    sessions.totals.add(call.totals)
    sessions.remove(call)


async def test_calls_that_go_on_count_and_count_once() -> None:
    sessions, one, other = Sessions(), Call("c1"), Call("c2")
    sessions.add(one)
    sessions.add(other)
    one.totals.counts.turns_answered = 3
    other.totals.counts.turns_answered = 2
    assert _answered(sessions) == 5
    _end(sessions, one)
    assert _answered(sessions) == 5
    _end(sessions, other)
    assert _answered(sessions) == 5


async def test_a_stream_that_a_newer_one_replaced_counts_until_it_is_gone() -> None:
    sessions, old, new = Sessions(), Call("c1"), Call("c1")
    sessions.add(old)
    old.totals.counts.turns_answered = 4
    sessions.add(new)
    assert _answered(sessions) == 4
    _end(sessions, old)
    assert len(sessions) == 1
    assert _answered(sessions) == 4
