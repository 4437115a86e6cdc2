"""PURE. Whether the turn machine does again what it did: a recorded stream's events go in, its commands are compared.

Another machine that decides at another time is found, too: where its deadline is not due when the recorded timer came,
and where it was due long before the next thing that was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

from media_gateway.flight.encoding import Step
from media_gateway.flight.reading import Flight
from media_gateway.turns.machine import TurnMachine
from media_gateway.turns.types import AgentTurnOpened, Command, Event, Floor, Ms

EARLY_MS = 1
"""A timer may fire this much before its time."""
LATE_MS = 250
"""An event loop that is later than this is told of; by other rules it counts as a difference."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One step whose answer is another one."""

    line: int
    """In the file."""
    now: Ms
    cause: str
    """The event's name, or `timer`."""
    expected: tuple[Command, ...]
    """The recorded commands."""
    got: tuple[Command, ...]
    notes: tuple[str, ...] = ()
    """What differs besides; without a word of the caller's."""


@dataclass(frozen=True, kw_only=True)
class Retraced:
    """What came of a replay."""

    steps: int
    commands: int
    """Recorded ones."""
    differences: tuple[Difference, ...]
    floors: tuple[tuple[Ms, Floor], ...]
    """Each change of floor."""
    latest_ms: int
    """The most that the recorded loop was late for a deadline."""


def retrace(flight: Flight, *, same_rules: bool) -> Retraced:
    """Run the machine on a stream's steps. Never raises over what a file holds."""
    machine = TurnMachine(flight.header.policy)
    differences: list[Difference] = []
    floors = [(Ms(0), machine.floor)]
    commands = latest_ms = 0
    for line, step in zip(flight.lines, flight.steps, strict=True):
        recorded = step.commands or ()
        commands += len(recorded)
        late_ms = _late_ms(machine, step)
        latest_ms = max(latest_ms, late_ms)
        notes = _timing(machine, step, 0 if same_rules else late_ms)
        try:
            answer = feed(machine, step.event, step.now)
        except (ValueError, AssertionError) as error:
            answer, notes = (), [*notes, f"the machine refuses: {error}"]
            if step.commands is None:
                notes = []  # as it did then
        if notes or answer != recorded:
            differences.append(
                Difference(
                    line=line,
                    now=step.now,
                    cause=cause_of(step),
                    expected=recorded,
                    got=answer,
                    notes=tuple(notes),
                )
            )
        if machine.floor is not floors[-1][1]:
            floors.append((step.now, machine.floor))
    return Retraced(
        steps=len(flight.steps),
        commands=commands,
        differences=tuple(differences),
        floors=tuple(floors),
        latest_ms=latest_ms,
    )


def feed(machine: TurnMachine, event: Event | None, now: Ms) -> tuple[Command, ...]:
    """Hand one step's input to a machine, as a session does. Raises what the machine raises."""
    if event is None:
        return tuple(machine.on_timer(now))
    if isinstance(event, AgentTurnOpened):
        # The session asked the machine for this id.
        given = machine.next_reply_id()
        if given != event.reply_id:
            raise ValueError(f"its next reply is {given}, the record's {event.reply_id}")
    return tuple(machine.receive(event, now))


def cause_of(step: Step) -> str:
    """What a step was about."""
    return "timer" if step.event is None else type(step.event).__name__


def _late_ms(machine: TurnMachine, step: Step) -> int:
    deadline = machine.deadline
    return 0 if deadline is None else max(0, step.now - deadline)


def _timing(machine: TurnMachine, step: Step, late_ms: int) -> list[str]:
    deadline = machine.deadline
    if step.event is None and (deadline is None or deadline > step.now + EARLY_MS):
        when = "none" if deadline is None else f"at {deadline} ms"
        return [f"no deadline is due: the next is {when}"]
    if late_ms > LATE_MS:
        return [f"a deadline was due at {deadline} ms"]
    return []
