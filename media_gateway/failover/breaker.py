"""PURE. Whether a vendor is worth asking: a circuit breaker over the outcomes of a short window, and when to probe it.

    CLOSED ──too many failures──▶ OPEN ──probe due──▶ HALF_OPEN ──probe succeeded──▶ CLOSED
                                    ▲────────────probe failed───────┘

Times are seconds of whatever clock the driver has. Calls are asked to wait for nothing: while it is not closed they go
elsewhere, and the probe, which is nobody's call, finds out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

MOST_OUTCOMES = 1000
"""Of a window; the oldest go first."""


class BreakerState(Enum):
    """Whether calls may ask."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When it opens, and how often it probes."""

    failures: int = 3
    """So many of the window open it …"""
    share: float = 0.5
    """… if they are at least this share of its outcomes: three among hundreds are no outage."""
    window_s: float = 10.0
    probe_after_s: float = 1.0
    """First wait; doubled with each probe that fails."""
    probe_most_s: float = 30.0


class CircuitBreaker:
    """One vendor's. Times never go back."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self._policy = policy if policy is not None else BreakerPolicy()
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=MOST_OUTCOMES)
        self._state = BreakerState.CLOSED
        self._wait_s = self._policy.probe_after_s
        self._probe_due_s = 0.0

    @property
    def state(self) -> BreakerState:
        """As of the last event."""
        return self._state

    @property
    def is_closed(self) -> bool:
        """Calls may ask."""
        return self._state is BreakerState.CLOSED

    @property
    def probe_due_s(self) -> float | None:
        """When `probe_began` is due; None unless it is open."""
        return self._probe_due_s if self._state is BreakerState.OPEN else None

    def succeeded(self, now_s: float) -> None:
        """A call or a probe was served. Closes it from any state."""
        if self._state is not BreakerState.CLOSED:
            self._outcomes.clear()
            self._state = BreakerState.CLOSED
            self._wait_s = self._policy.probe_after_s
        self._outcomes.append((now_s, True))

    def failed(
        self, now_s: float, *, is_lasting: bool = False, retry_after_s: float | None = None
    ) -> None:
        """A call or a probe was not served. What is lasting, or asks for a time without us, opens it at once."""
        match self._state:
            case BreakerState.CLOSED:
                self._outcomes.append((now_s, False))
                if is_lasting or retry_after_s is not None or self._is_too_much(now_s):
                    self._open(now_s, retry_after_s)
            case BreakerState.HALF_OPEN:
                self._wait_s = min(self._policy.probe_most_s, 2 * self._wait_s)
                self._open(now_s, retry_after_s)
            case BreakerState.OPEN:
                pass  # a call that was under way, or had nobody else to ask: known already

    def probe_began(self, now_s: float) -> None:
        """The probe is under way; it ends with `succeeded` or `failed`. ValueError before it is due."""
        if self._state is not BreakerState.OPEN or now_s < self._probe_due_s:
            raise ValueError(f"no probe is due: {self._state.value}")
        self._state = BreakerState.HALF_OPEN

    def _is_too_much(self, now_s: float) -> bool:
        since = now_s - self._policy.window_s
        while self._outcomes and self._outcomes[0][0] < since:
            self._outcomes.popleft()
        failures = sum(not is_well for _, is_well in self._outcomes)
        return failures >= self._policy.failures and failures >= self._policy.share * len(
            self._outcomes
        )

    def _open(self, now_s: float, retry_after_s: float | None) -> None:
        self._state = BreakerState.OPEN
        self._probe_due_s = now_s + max(self._wait_s, retry_after_s or 0.0)
