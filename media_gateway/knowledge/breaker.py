"""PURE. When a store that fails is asked again: after some failures in a row not at all, until a probe succeeds."""

from __future__ import annotations

from dataclasses import dataclass

FAILURES = 3
"""In a row, before it is left alone: one slow answer is no outage."""
FIRST_WAIT_S, MOST_WAIT_S = 1.0, 30.0


@dataclass(slots=True, kw_only=True)
class Breaker:
    """Closed: ask. Open: do not; probe after `wait_s`, which doubles with each probe that fails."""

    is_open: bool = False
    wait_s: float = FIRST_WAIT_S
    _failures: int = 0

    def failed(self) -> bool:
        """A look-up failed; True when this one opened the breaker."""
        self._failures += 1
        if self.is_open or self._failures < FAILURES:
            return False
        self.open()
        return True

    def open(self) -> None:
        """Ask no more until a probe succeeds."""
        self.is_open, self.wait_s = True, FIRST_WAIT_S

    def probe_failed(self) -> None:
        """Wait longer before the next."""
        self.wait_s = min(2 * self.wait_s, MOST_WAIT_S)

    def succeeded(self) -> None:
        """A look-up or a probe went well."""
        self.is_open, self._failures = False, 0
