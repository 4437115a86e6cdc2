"""Keeps a recogniser's stream open for as long as a call lasts; what no stream had words for, the next one hears."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from media_gateway.call_tasks import let_go
from media_gateway.errors import VendorUnavailable
from media_gateway.speech.ports import Recognition, SpeechToText, Transcript

log = structlog.get_logger(__name__)

REOPEN_FIRST_S = 0.1
REOPEN_MOST_S = 1.0
"""Between tries to reach the recogniser: a caller does not wait longer."""
WAIT_AS_ASKED_S = 5.0
"""The longest that a vendor may have us wait (`Retry-After`) with a caller on the line."""
MOST_UNTOLD = 250
"""Frames: five seconds. What is older would be answered long after it was said."""


class Listening:
    """One call's recogniser, whichever stream of it is the present one."""

    def __init__(
        self,
        recogniser: SpeechToText,
        key_terms: Sequence[str],
        transcribed: Callable[[Transcript], None],
        lost: Callable[[], None],
    ) -> None:
        self._recogniser = recogniser
        self._key_terms = key_terms
        self._transcribed = transcribed
        self._lost = lost
        self._recognition: Recognition | None = None
        self._untold: deque[bytes] = deque(maxlen=MOST_UNTOLD)
        """Frames since the last words: the words before them count as they stand, whatever becomes of the stream."""

    def hear(self, mulaw: bytes) -> None:
        """Take the next audio. Never blocks."""
        self._untold.append(mulaw)
        if self._recognition is not None:
            self._recognition.send(mulaw)

    async def finalize(self) -> None:
        """Ask for the words of everything heard so far."""
        if self._recognition is not None:
            await self._recognition.finalize()

    async def run(self) -> None:
        """Listen; whenever a stream ends, `lost` is called and another one opened. Ends only by cancellation."""
        wait_s = REOPEN_FIRST_S
        while True:
            try:
                recognition = await self._recogniser.open(key_terms=self._key_terms)
                for mulaw in self._untold:
                    recognition.send(mulaw)
                self._recognition = recognition
                async for transcript in recognition:
                    wait_s = REOPEN_FIRST_S
                    self._untold.clear()
                    self._transcribed(transcript)
            except VendorUnavailable as error:
                log.warning("recogniser_lost", vendor=error.vendor, reason=error.reason)
                wait_s = max(wait_s, min(error.retry_after_s or 0.0, WAIT_AS_ASKED_S))
            except Exception:
                # A bug of ours, or of a vendor's library: the call must not go deaf over it.
                log.exception("recogniser_failed")
            # Before anything is waited for: what comes meanwhile is for the next stream.
            ended, self._recognition = self._recognition, None
            self._lost()
            if ended is not None:
                await let_go(ended.close())
            await asyncio.sleep(wait_s)
            wait_s = min(REOPEN_MOST_S, 2 * wait_s)

    async def close(self) -> None:
        """End the vendor's stream; after `run` was cancelled. Never raises."""
        if self._recognition is not None:
            await let_go(self._recognition.close())
