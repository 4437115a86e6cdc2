"""No call outlives its workflow: what is alive at the carrier while its workflow is closed is hung up.

A dial that was under way when its workflow was closed left no id behind. It needs no look: when it is answered, nobody
lets a gateway `attach`, and the gateway has the carrier hang up.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Protocol

from temporalio import activity

from activities.clients.closed_calls import ClosedCall, ClosedCalls
from workflows.contracts.reconcile import HANG_UP_ORPHANS, LookForOrphans, Orphans

AT_ONCE = 8
"""Calls looked at side by side."""


class CarrierCalls(Protocol):
    """The carrier's word on its calls. Blocking. Both raise CarrierRefused or CarrierUnclear."""

    def is_alive(self, call_sid: str) -> bool:
        """Whether it is neither over nor unknown."""

    def end(self, call_sid: str) -> tuple[str, int | None]:
        """End it, whatever its state."""


class _Verdict(Enum):
    OVER = auto()
    NEVER_PLACED = auto()
    GONE_ON = auto()
    HUNG_UP = auto()
    UNCLEAR = auto()


class ReconcileActivities:
    """Idempotent: a call that was hung up is over when it is looked at again."""

    def __init__(self, closed: ClosedCalls, carrier: CarrierCalls) -> None:
        self._closed = closed
        self._carrier = carrier

    @activity.defn(name=HANG_UP_ORPHANS)
    async def hang_up_orphans(self, wanted: LookForOrphans) -> Orphans:
        """Look at the calls that were closed lately. Raises RPCError when they cannot be listed."""
        moment = datetime.now(UTC) - timedelta(seconds=wanted.look_back_s)
        calls = await self._closed.since(moment, most=wanted.most + 1)
        places = asyncio.Semaphore(AT_ONCE)
        found: dict[_Verdict, list[str]] = defaultdict(list)

        async def look(call: ClosedCall) -> None:
            async with places:
                found[await self._settle(call)].append(call.workflow_id)
                activity.heartbeat()

        async with asyncio.TaskGroup() as group:
            for call in calls[: wanted.most]:
                group.create_task(look(call))
        return Orphans(
            looked_at=len(calls[: wanted.most]),
            over=len(found[_Verdict.OVER]),
            never_placed=len(found[_Verdict.NEVER_PLACED]),
            gone_on=sorted(found[_Verdict.GONE_ON]),
            hung_up=sorted(found[_Verdict.HUNG_UP]),
            unclear=sorted(found[_Verdict.UNCLEAR]),
            more=len(calls) > wanted.most,
        )

    async def _settle(self, call: ClosedCall) -> _Verdict:
        try:
            return await self._judge(call)
        except Exception as error:  # noqa: BLE001 - one call that cannot be read must not keep the others alive
            activity.logger.error(
                "%s: cannot say whether its call is over: %s",
                call.workflow_id,
                type(error).__name__,
            )
            return _Verdict.UNCLEAR

    async def _judge(self, call: ClosedCall) -> _Verdict:
        sids = await self._closed.call_sids(call)
        if not sids:
            return _Verdict.NEVER_PLACED
        alive = await asyncio.to_thread(self._alive, sids)
        if not alive:
            return _Verdict.OVER
        # Asked last, so that a run which began meanwhile is seen.
        if await self._closed.goes_on(call):
            return _Verdict.GONE_ON
        for sid in alive:
            await asyncio.to_thread(self._carrier.end, sid)
            activity.logger.warning("%s: its call was still alive: hung up", call.workflow_id)
        return _Verdict.HUNG_UP

    def _alive(self, sids: Iterable[str]) -> list[str]:
        return [sid for sid in sids if self._carrier.is_alive(sid)]
