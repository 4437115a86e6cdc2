"""How an activity tells its workflow what went wrong: one helper for each kind that the workflow knows apart."""

from __future__ import annotations

from temporalio.exceptions import ApplicationError

from workflows.contracts.activities import (
    CALL_IS_OVER,
    CALL_NOT_PLACED,
    CALL_UNKNOWN,
    SCRIPT_REFUSED,
)


def script_refused(reason: str) -> ApplicationError:
    """Trying again cannot help: the file has to change."""
    return ApplicationError(reason, type=SCRIPT_REFUSED, non_retryable=True)


def call_not_placed(reason: str) -> ApplicationError:
    """Certainly no call was placed."""
    return ApplicationError(reason, type=CALL_NOT_PLACED, non_retryable=True)


def call_unknown(reason: str) -> ApplicationError:
    """A call may have been placed: only the carrier knows."""
    return ApplicationError(reason, type=CALL_UNKNOWN, non_retryable=True)


def call_is_over(reason: str) -> ApplicationError:
    """There is no call left to do it with."""
    return ApplicationError(reason, type=CALL_IS_OVER, non_retryable=True)
