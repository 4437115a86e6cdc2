"""PURE. Which client is asked first: the chosen one, then the others as they are named; those that failed of late, last."""

from __future__ import annotations

from collections.abc import Sequence

from media_gateway.llm.failures import Failure


class ClientHealth:
    """Of all clients of a process. One that rests is asked when its rest is over, or when nobody else is left."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._rests_until_s = dict.fromkeys(names, 0.0)

    def order(self, chosen: str, now_s: float) -> list[str]:
        """All names. One that is not known counts as none chosen."""
        first = [chosen] if chosen in self._rests_until_s else []
        names = first + [name for name in self._names if name != chosen]
        return sorted(names, key=lambda name: self._rests_until_s[name] > now_s)

    def failed(self, name: str, failure: Failure, now_s: float) -> None:
        """Let the others go first for a while."""
        self._rests_until_s[name] = max(self._rests_until_s[name], now_s + failure.rest_s)

    def answered(self, name: str) -> None:
        """It is well."""
        self._rests_until_s[name] = 0.0
