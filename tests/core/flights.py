"""Flights for tests: a machine that notes what goes in and out, and calls by written times."""

from __future__ import annotations

from typing import Any, cast

from media_gateway.flight.encoding import (
    Header,
    Step,
    encode_end,
    encode_header,
    encode_step,
)
from media_gateway.flight.reading import Flight, read_flight
from media_gateway.turns.machine import TurnMachine
from media_gateway.turns.types import (
    AgentTurnOpened,
    Command,
    Event,
    FinalWords,
    Ms,
    ReplyPlayed,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
    TurnPolicy,
)
from tests.core.turn_driver import POLICY, Driver


class NotedMachine:
    """A machine that keeps every step."""

    def __init__(self, machine: TurnMachine) -> None:
        self._machine = machine
        self.steps: list[Step] = []

    def receive(self, event: Event, now: Ms) -> list[Command]:
        commands = self._machine.receive(event, now)
        self.steps.append(Step(now=now, event=event, commands=tuple(commands)))
        return commands

    def on_timer(self, now: Ms) -> list[Command]:
        commands = self._machine.on_timer(now)
        self.steps.append(Step(now=now, event=None, commands=tuple(commands)))
        return commands

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)


def noted(driver: Driver) -> NotedMachine:
    """Have a driver's machine noted from here on."""
    machine = NotedMachine(driver.machine)
    driver.machine = cast(TurnMachine, machine)
    return machine


def header(policy: TurnPolicy = POLICY, **changed: Any) -> Header:
    return Header(
        **{
            "callspine": "0.1.0",
            "call_id": "call-1",
            "epoch": 1,
            "begun": "2026-11-25T01:00:00.000+00:00",
            "rules": "0123456789ab",
            "policy": policy,
            **changed,
        }
    )


def written(steps: list[Step], policy: TurnPolicy = POLICY) -> bytes:
    """A whole file."""
    lines = [encode_header(header(policy)), *map(encode_step, steps), encode_end(len(steps))]
    return b"".join(lines)


def flight(steps: list[Step], policy: TurnPolicy = POLICY) -> Flight:
    return read_flight(written(steps, policy))


class Call:
    """A call by written times: the opening until 1000, then what the caller says and how the agent answers."""

    def __init__(self, policy: TurnPolicy = POLICY) -> None:
        self.policy = policy
        self.driver = Driver(policy)
        self.machine = noted(self.driver)
        self.driver.at(0, AgentTurnOpened(reply_id=self.driver.machine.next_reply_id()))
        self.driver.at(100, ReplyStarted(reply_id=1, interruptible=False))
        self.driver.at(1000, ReplyPlayed(reply_id=1))

    def says(self, start: int, end: int, words: str, *, final_after: int = 100) -> Call:
        """Sound from start to end, its words soon after."""
        self.driver.at(start, SpeechStarted(at=Ms(start)))
        self.driver.at(end + 50, SpeechStopped(at=Ms(end)))
        self.driver.at(end + final_after, FinalWords(text=words))
        return self

    def answer(self, reply_id: int, start: int, end: int) -> Call:
        """The agent is heard from start to end."""
        self.driver.at(start, ReplyStarted(reply_id=reply_id, interruptible=True))
        self.driver.at(end, ReplyPlayed(reply_id=reply_id))
        return self

    def until(self, ms: int) -> Call:
        self.driver.at(ms)
        return self

    @property
    def flight(self) -> Flight:
        return flight(self.machine.steps, self.policy)
