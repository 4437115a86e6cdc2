"""Several voices behind the port of one, and behind it for a call: the voice and the spoken lines that go together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from media_gateway.failover.patience import FailoverPolicy
from media_gateway.failover.speech import FailoverSpeech
from media_gateway.failover.voices import CallVoices, Voice
from media_gateway.speech.ports import ReadyAudio


class FailoverTextToSpeech:
    """Implements TextToSpeech. Owns the voices: their adapters, their lines and their probes."""

    def __init__(self, voices: Sequence[Voice], policy: FailoverPolicy | None = None) -> None:
        """`voices`: at least one, the preferred one first."""
        if not voices:
            raise ValueError("no voice")
        self._voices = voices
        self._policy = policy if policy is not None else FailoverPolicy()
        self._tasks: set[asyncio.Task[None]] = set()

    def for_call(self) -> CallVoice:
        """What one call speaks with."""
        return CallVoice(CallVoices(self._voices), self._policy, self._tasks)

    async def begin(self) -> FailoverSpeech:
        """A reply that is of no call."""
        return await self.for_call().begin()

    async def close(self) -> None:
        """See TextToSpeech."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for voice in self._voices:
            await voice.provider.close()
            await voice.lines.close()
            await voice.port.close()


class CallVoice:
    """One call's; implements TextToSpeech and LineAudio, which change the voice together."""

    def __init__(
        self, choice: CallVoices, policy: FailoverPolicy, tasks: set[asyncio.Task[None]]
    ) -> None:
        self._choice = choice
        self._policy = policy
        self._tasks = tasks

    async def begin(self) -> FailoverSpeech:
        """See TextToSpeech. Never waits, never raises: a voice that cannot be reached is the iteration's affair."""
        return FailoverSpeech(
            self._choice.in_order(), self._policy, self._choice.speaks, self._tasks
        )

    def ready(self, text: str) -> ReadyAudio | None:
        """See LineAudio."""
        return self._choice.ready(text)

    async def close(self) -> None:
        """Nothing of a call's own is held."""
