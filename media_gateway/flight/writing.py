"""One stream's file on its way to disk: bytes that wait for the next flush, and what becomes of a disk that refuses.

All of it runs on the recorder's thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import structlog

from media_gateway.flight.encoding import (
    Header,
    Step,
    encode_dropped,
    encode_end,
    encode_header,
    encode_step,
)
from media_gateway.flight.files import create

log = structlog.get_logger(__name__)


class FlightFile:
    """`ready`, then `take` and `flush` as often as there is something."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._bytes = bytearray()
        self._descriptor: int | None = None
        self._good_bytes = 0
        """Written whole."""
        self._steps = 0
        self._is_begun = False
        self._is_over = False

    def ready(self, folder: Path) -> None:
        """Make the file, once."""
        if self._is_begun:
            return
        self._is_begun = True
        try:
            self._descriptor, _ = create(folder, self._header.call_id, self._header.epoch)
        except OSError as error:
            self._failed(error)
            return
        self._bytes += encode_header(self._header)
        self.flush()

    def take(self, step: Step | None, dropped_before: int) -> None:
        """Encode a step, or the end."""
        if self._descriptor is None:
            return
        if dropped_before:
            self._bytes += encode_dropped(dropped_before)
        if step is None:
            self._bytes += encode_end(self._steps)
            self._is_over = True
            return
        try:
            self._bytes += encode_step(step)
        except (TypeError, ValueError) as error:
            # A number of numpy's, say: comparing it is another arithmetic than a replay's, so that it is a bug.
            log.error(
                "step_not_encoded", kind=type(step.event).__name__, error=type(error).__name__
            )
            self._bytes += encode_dropped(1)
            return
        self._steps += 1

    def flush(self) -> None:
        """Hand what waits to the operating system; close the file when it is over."""
        if self._descriptor is None:
            return
        size = len(self._bytes)
        try:
            while self._bytes:
                del self._bytes[: os.write(self._descriptor, self._bytes)]
        except OSError as error:
            self._failed(error)
            return
        self._good_bytes += size
        if self._is_over:
            os.close(self._descriptor)
            self._descriptor = None

    def _failed(self, error: OSError) -> None:
        """The file ends here; what it holds stays readable."""
        log.error(
            "flight_not_written",
            call_id=self._header.call_id,
            epoch=self._header.epoch,
            reason=error.strerror or type(error).__name__,
        )
        self._bytes.clear()
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):
                os.ftruncate(descriptor, self._good_bytes)  # no half of a line
            with suppress(OSError):
                os.close(descriptor)
