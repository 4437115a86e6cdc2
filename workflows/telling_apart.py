"""PURE. Whether a call that was told again is the one on record, and where two tellings of it part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import zip_longest

from workflows.contracts.payloads import CallResult, CallSnapshot, TurnRecord
from workflows.retelling import Decision, Retelling
from workflows.script.model import Outcome

_WITHOUT_THE_SCRIPT = (
    Outcome.HUNG_UP,
    Outcome.CUT_OFF,
    Outcome.NO_ANSWER,
    Outcome.BUSY,
    Outcome.FAILED,
)
"""What the workflow calls the end of a call whose script came to none: the carrier's word and the stream's end decide."""


@dataclass(frozen=True, kw_only=True)
class Parted:
    """One turn in two tellings."""

    was: Decision
    would: Decision

    @property
    def unlike(self) -> tuple[str, ...]:
        """What the two decided differently; empty: nothing."""
        was, would = self.was.points(), self.would.points()
        return tuple(what for what in {**was, **would} if was.get(what) != would.get(what))


def side_by_side(was: Retelling, would: Retelling) -> list[Parted]:
    """Turn by turn. Which messages count does not hang on the script: both have the same turns."""
    pairs = zip(was.decisions, would.decisions, strict=True)
    return [Parted(was=one, would=other) for one, other in pairs]


def differences(told: Retelling, recorded: CallResult | CallSnapshot) -> list[str]:
    """A line for each thing that the record has otherwise; empty: they are equal."""
    found = list(_of_turns([decision.record for decision in told.decisions], recorded.turns))
    ours: dict[str, object] = {
        **asdict(replace(told.state, outcome=None)),
        "script_hash": told.script_hash,
        "appointment_at": told.appointment_at,
        "epoch": told.epoch,
        "ignored": told.ignored,
    }
    found += _unlike("", ours, _recorded(recorded))
    if not _outcome_fits(told, recorded):
        found.append(_said("outcome", told.decided, _outcome(recorded)))
    return found


def _recorded(recorded: CallResult | CallSnapshot) -> dict[str, object]:
    """What the record says of the things that a retelling knows; a result says less than a snapshot."""
    match recorded:
        case CallResult():
            names = (
                "stage",
                "slots",
                "objections",
                "call_back_when",
                "appointment_at",
                "script_hash",
            )
            return {name: getattr(recorded, name) for name in names}
        case CallSnapshot():
            return {
                **asdict(replace(recorded.state, outcome=None)),
                "script_hash": recorded.script_hash,
                "appointment_at": recorded.appointment_at,
                "epoch": recorded.epoch,
                "ignored": recorded.ignored,
            }


def _outcome(recorded: CallResult | CallSnapshot) -> Outcome | None:
    return recorded.outcome if isinstance(recorded, CallResult) else recorded.state.outcome


def _outcome_fits(told: Retelling, recorded: CallResult | CallSnapshot) -> bool:
    outcome = _outcome(recorded)
    if report_opts_out(recorded) and (outcome is Outcome.OPTED_OUT or not told.wants_no_calls):
        # One that was told besides leaves the script's outcome, unless it was told after the report.
        return outcome is Outcome.OPTED_OUT
    if told.decided is not None:
        return outcome is told.decided
    if isinstance(recorded, CallSnapshot) and outcome is None:
        return True
    if isinstance(recorded, CallSnapshot) and not recorded.is_over:
        return False
    return outcome in _WITHOUT_THE_SCRIPT


def report_opts_out(recorded: CallResult | CallSnapshot | None) -> bool:
    """The report on the call found an opt-out, whether or not a turn told of it."""
    return (
        isinstance(recorded, CallResult)
        and recorded.post_call is not None
        and recorded.post_call.outcome == Outcome.OPTED_OUT.value
    )


def _of_turns(ours: list[TurnRecord], theirs: list[TurnRecord]) -> Iterator[str]:
    for number, (told, recorded) in enumerate(zip_longest(ours, theirs), start=1):
        if told is None or recorded is None:
            yield f"turn {number}: {'only on record' if told is None else 'not on record'}"
            continue
        yield from _unlike(f"turn {number}, ", _shallow(told), _shallow(recorded))


def _shallow(record: TurnRecord) -> dict[str, object]:
    return {each.name: getattr(record, each.name) for each in fields(record)}


def _unlike(where: str, ours: Mapping[str, object], theirs: Mapping[str, object]) -> list[str]:
    return [
        _said(f"{where}{name}", ours[name], recorded)
        for name, recorded in theirs.items()
        if ours[name] != recorded
    ]


def _said(what: str, told: object, recorded: object) -> str:
    return f"{what}: told again {_plain(told)}, on record {_plain(recorded)}"


def _plain(value: object) -> str:
    return str(value) if isinstance(value, Outcome) else repr(value)
