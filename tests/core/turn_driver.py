"""Feeds a machine written times, and fires its deadlines on the way, as a session does."""

from __future__ import annotations

from collections.abc import Callable

from media_gateway.turns.machine import TurnMachine
from media_gateway.turns.types import (
    AgentTurnOpened,
    Command,
    Event,
    FinalWords,
    Floor,
    Ms,
    PauseReply,
    ReplyPaused,
    ReplyPlayed,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
    TurnPolicy,
)

POLICY = TurnPolicy(held_pause_ms=200, opener_pause_ms=200, waste_free=3)
"""Answers begun ahead are let out as soon as others are begun, so that most times need no explanation; a few may be in vain."""


class Driver:
    """A session without audio: `unheard_ms` is what it answers when it is told to pause, at once and in the same step."""

    def __init__(self, policy: TurnPolicy = POLICY) -> None:
        self.machine = TurnMachine(policy)
        self.said: list[tuple[int, Command]] = []
        self.moves: set[tuple[Floor, Floor]] = set()
        self.unheard_ms: int | None = 3000
        """None: the answer is lost."""
        self.is_whole = True
        self.on_command: Callable[[int, Command], None] | None = None
        self._floor = self.machine.floor

    def at(self, ms: int, event: Event | None = None) -> Driver:
        """Let the time come, with every deadline before it; then the event."""
        while (due := self.machine.deadline) is not None and due <= ms:
            self._obey(due, self.machine.on_timer(due))
        if event is not None:
            self._obey(ms, self.machine.receive(event, Ms(ms)))
        return self

    def commands(self, *kinds: type[Command]) -> list[tuple[int, Command]]:
        return [(ms, command) for ms, command in self.said if isinstance(command, kinds)]

    def since(self, ms: int) -> list[tuple[int, Command]]:
        return [(at, command) for at, command in self.said if at >= ms]

    def _obey(self, ms: int, commands: list[Command]) -> None:
        if self.machine.floor is not self._floor:
            self.moves.add((self._floor, self.machine.floor))
            self._floor = self.machine.floor
        for command in commands:
            self.said.append((ms, command))
            if self.on_command is not None:
                self.on_command(ms, command)
            if isinstance(command, PauseReply) and self.unheard_ms is not None:
                paused = ReplyPaused(
                    reply_id=command.reply_id, unheard_ms=self.unheard_ms, is_whole=self.is_whole
                )
                self._obey(ms, self.machine.receive(paused, Ms(ms)))


def opened(policy: TurnPolicy = POLICY) -> Driver:
    """The opening was heard; the caller is expected to speak from 1000 on."""
    driver = Driver(policy)
    driver.at(0, AgentTurnOpened(reply_id=driver.machine.next_reply_id()))
    driver.at(100, ReplyStarted(reply_id=1, interruptible=False))
    return driver.at(1000, ReplyPlayed(reply_id=1))


def answering(words: str = "yes sure") -> Driver:
    """The caller has said something from 1500 to 2000; reply 2 was asked for at 2700."""
    driver = opened().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    return driver.at(2600, FinalWords(text=words)).at(2700)


def speaking() -> Driver:
    """Reply 2 is heard from 3000 on."""
    return answering().at(3000, ReplyStarted(reply_id=2, interruptible=True))
