"""One of the vendors that can do the same: its breaker, and the background probe that brings it back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

from media_gateway.errors import VendorUnavailable
from media_gateway.failover.breaker import BreakerPolicy, CircuitBreaker

log = structlog.get_logger(__name__)

Port = TypeVar("Port")

PROBE_WITHIN_S = 3.0


class Provider(Generic[Port]):
    """A vendor behind its port, with what is known of its health. Owns the probe's task; not the vendor."""

    def __init__(
        self,
        name: str,
        port: Port,
        probe: Callable[[Port], Awaitable[None]],
        policy: BreakerPolicy | None = None,
    ) -> None:
        """`probe` has the vendor do a little of its work, and raises VendorUnavailable when it does not."""
        self.name = name
        self.port = port
        self._probe = probe
        self._breaker = CircuitBreaker(policy)
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_well(self) -> bool:
        """Calls may ask it."""
        return self._breaker.is_closed

    def succeeded(self) -> None:
        """It served a call."""
        was_well = self.is_well
        self._breaker.succeeded(_now_s())
        if not was_well:
            log.info("vendor_back", vendor=self.name)

    def failed(self, error: VendorUnavailable) -> None:
        """It did not serve a call. Opens the breaker when that happened too often; then the probe runs until it is well."""
        if error.is_full:
            return
        was_well = self.is_well
        self._breaker.failed(
            _now_s(), is_lasting=error.is_lasting, retry_after_s=error.retry_after_s
        )
        if was_well and not self.is_well:
            log.error("vendor_away", vendor=self.name, reason=error.reason)
        if not self.is_well and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe_until_well(), name=f"probe {self.name}")

    async def close(self) -> None:
        """Stop probing. Idempotent."""
        if self._probing is not None:
            self._probing.cancel()
            with suppress(asyncio.CancelledError):
                await self._probing

    async def _probe_until_well(self) -> None:
        while (due_s := self._breaker.probe_due_s) is not None:
            await asyncio.sleep(max(0.0, due_s - _now_s()))
            if self._breaker.probe_due_s != due_s:
                continue  # a call was served meanwhile, and maybe others were not
            self._breaker.probe_began(max(due_s, _now_s()))
            try:
                async with asyncio.timeout(PROBE_WITHIN_S):
                    await self._probe(self.port)
            except VendorUnavailable as error:
                self._breaker.failed(
                    _now_s(), is_lasting=error.is_lasting, retry_after_s=error.retry_after_s
                )
            except Exception as error:  # noqa: BLE001 - a task's top: without it the vendor would never come back
                log.warning("probe_failed", vendor=self.name, error=type(error).__name__)
                self._breaker.failed(_now_s())
            else:
                self.succeeded()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
