"""How an activity tells its workflow what went wrong: one helper for each kind that the workflow knows apart."""

from __future__ import annotations

from datetime import timedelta

from temporalio.exceptions import ApplicationError

from workflows.carrier_errors import DialProblem
from workflows.contracts.activities import (
    CALL_IS_OVER,
    CALL_NOT_PLACED,
    CALL_UNKNOWN,
    RATE_LIMITED,
    SCRIPT_REFUSED,
    NotPlaced,
)


def script_refused(reason: str) -> ApplicationError:
    """Trying again cannot help: the file has to change."""
    return ApplicationError(reason, type=SCRIPT_REFUSED, non_retryable=True)


def call_not_placed(
    reason: str,
    problem: DialProblem,
    *,
    carrier_code: int = 0,
    retry_after_s: float = 0.0,
) -> ApplicationError:
    """Certainly no call was placed, and why."""
    detail = NotPlaced(
        problem=problem.value, carrier_code=carrier_code, retry_after_s=retry_after_s
    )
    return ApplicationError(reason, detail, type=CALL_NOT_PLACED, non_retryable=True)


def call_unknown(reason: str) -> ApplicationError:
    """A call may have been placed: only the carrier knows."""
    return ApplicationError(reason, type=CALL_UNKNOWN, non_retryable=True)


def call_is_over(reason: str) -> ApplicationError:
    """There is no call left to do it with."""
    return ApplicationError(reason, type=CALL_IS_OVER, non_retryable=True)


def later(reason: str, after_s: float) -> ApplicationError:
    """To be tried again, not before so many seconds."""
    delay = timedelta(seconds=after_s)
    return ApplicationError(reason, type=RATE_LIMITED, next_retry_delay=delay)
