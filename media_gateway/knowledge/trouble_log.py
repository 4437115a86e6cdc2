"""A trouble is told when it begins, when its reason changes and when it is over, however often it is met between."""

from __future__ import annotations

import structlog

log = structlog.get_logger(__name__)


class TroubleLog:
    """One store's."""

    def __init__(self) -> None:
        self._reason = ""

    def trouble(self, reason: str) -> None:
        """The store cannot be used, for this reason."""
        if reason != self._reason:
            self._reason = reason
            log.warning("knowledge_unavailable", reason=reason)

    def over(self) -> None:
        """It can."""
        if self._reason:
            self._reason = ""
            log.info("knowledge_back")
