"""What becomes of a step on its way to disk: it waits in a bounded buffer, and one thread of the process writes it.

The event loop only appends to the buffer. Every half second, and when a stream closes, the thread encodes what waits and
hands it to the operating system: a process that is killed loses at most that. What the buffer has no room for is
counted, in the file where it is missing and in the log.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog

from media_gateway.flight.encoding import Header, Step
from media_gateway.flight.files import prepare_folder
from media_gateway.flight.rules import rules_fingerprint
from media_gateway.flight.writing import FlightFile
from media_gateway.turns.types import Command, Event, Ms, TurnPolicy

log = structlog.get_logger(__name__)

FLUSH_EVERY_S = 0.5
MOST_WAITING = 20_000
"""Steps of all calls together: some ten seconds of a hundred calls, and a few MB."""


def program_version() -> str:
    """Of the installed program; "unknown" where it runs from a bare folder."""
    try:
        return version("callspine")
    except PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True, slots=True)
class _Item:
    flight: _OpenFlight
    step: Step | None
    """None: the stream is over."""
    dropped_before: int


class FlightRecorder:
    """Records every stream of this process. Implements `Recorder`; `close` it after the last stream."""

    def __init__(self, folder: Path, *, most_waiting: int = MOST_WAITING) -> None:
        """Blocking. Raises OSError when the folder cannot be written to."""
        prepare_folder(folder)
        self._folder = folder
        self._most_waiting = most_waiting
        self._rules = rules_fingerprint()
        self._version = program_version()
        self._waiting: deque[_Item] = deque()
        self._wake = threading.Event()
        self._is_closing = False
        self._open: set[_OpenFlight] = set()
        self._thread = threading.Thread(target=self._run, name="flight recorder", daemon=True)
        self._thread.start()

    def open(self, call_id: str, epoch: int, policy: TurnPolicy) -> _OpenFlight:
        """Begin a stream's file. Never blocks: the file itself is made by the thread."""
        header = Header(
            callspine=self._version,
            call_id=call_id,
            epoch=epoch,
            begun=datetime.now(UTC).isoformat(timespec="milliseconds"),
            rules=self._rules,
            policy=policy,
        )
        flight = _OpenFlight(self, header)
        self._open.add(flight)
        self._wake.set()
        return flight

    def close(self, *, within_s: float = 5.0) -> None:
        """Write what waits and end the thread. Blocking; idempotent."""
        for flight in list(self._open):
            flight.close()
        self._is_closing = True
        self._wake.set()
        self._thread.join(within_s)
        if self._thread.is_alive():
            log.error("flights_not_written", steps=len(self._waiting), within_s=within_s)

    # --- the event loop's side ---------------------------------------------------------------

    def put(self, flight: _OpenFlight, step: Step, dropped_before: int) -> bool:
        """Take a step over; False when there is no room."""
        if self._is_closing or len(self._waiting) >= self._most_waiting:
            return False
        self._waiting.append(_Item(flight, step, dropped_before))
        return True

    def finish(self, flight: _OpenFlight, dropped_before: int) -> None:
        """Have a stream's file closed. Always taken: there are no more of these than streams."""
        self._open.discard(flight)
        self._waiting.append(_Item(flight, None, dropped_before))
        self._wake.set()

    # --- the thread's side -------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            # Nothing to do while no stream is open: an idle gateway sleeps.
            self._wake.wait(FLUSH_EVERY_S if self._open else None)
            self._wake.clear()
            is_closing = self._is_closing
            try:
                self._write_all()
            except Exception:
                # A bug of ours must not end the thread: the other calls' flights go on.
                log.exception("flight_writer_failed")
            if is_closing:
                return

    def _write_all(self) -> None:
        for flight in list(self._open):
            flight.file.ready(self._folder)
        touched: dict[_OpenFlight, None] = {}
        while self._waiting:
            item = self._waiting.popleft()
            touched[item.flight] = None
            item.flight.file.ready(self._folder)
            item.flight.file.take(item.step, item.dropped_before)
        for flight in touched:
            flight.file.flush()


class _OpenFlight:
    """One stream. Implements `CallRecorder`; belongs to the event loop, but for `file`, which is the thread's."""

    def __init__(self, recorder: FlightRecorder, header: Header) -> None:
        self._recorder = recorder
        self._taken: tuple[Event | None, Ms] | None = None
        self._dropped_before = 0
        self._dropped = 0
        self._is_closed = False
        self.file = FlightFile(header)

    def took(self, event: Event, now: Ms) -> None:
        """See CallRecorder."""
        self._began(event, now)

    def timer(self, now: Ms) -> None:
        """See CallRecorder."""
        self._began(None, now)

    def commands(self, commands: Sequence[Command]) -> None:
        """See CallRecorder."""
        self._answered(tuple(commands))

    def close(self) -> None:
        """See CallRecorder."""
        if self._is_closed:
            return
        self._answered(None)
        self._is_closed = True
        if self._dropped:
            log.warning("flight_incomplete", dropped=self._dropped)
        self._recorder.finish(self, self._dropped_before)

    def _began(self, event: Event | None, now: Ms) -> None:
        self._answered(None)  # the machine raised over the step before
        self._taken = event, now

    def _answered(self, commands: tuple[Command, ...] | None) -> None:
        if self._taken is None or self._is_closed:
            return
        (event, now), self._taken = self._taken, None
        step = Step(now=now, event=event, commands=commands)
        if self._recorder.put(self, step, self._dropped_before):
            self._dropped_before = 0
            return
        if not self._dropped:
            log.warning(
                "flight_drops", reason="the disk does not keep up, or the recorder is closed"
            )
        self._dropped += 1
        self._dropped_before += 1
