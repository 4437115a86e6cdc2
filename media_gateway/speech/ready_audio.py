"""Audio of words that are known before the call: it is played without asking the voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from media_gateway.speech.ports import WordTime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyAudio:
    """A whole line or phrase, spoken."""

    mulaw: bytes
    words: tuple[WordTime, ...] = ()
    """Empty when the voice gave no times."""


class LineAudio(Protocol):
    """The authored lines that were spoken before."""

    def ready(self, text: str) -> ReadyAudio | None:
        """The audio of exactly this text in the present voice; None when there is none. In memory: never blocks."""


class NoLineAudio:
    """Nothing is ready; implements LineAudio."""

    def ready(self, text: str) -> ReadyAudio | None:
        """See LineAudio."""
        return None
