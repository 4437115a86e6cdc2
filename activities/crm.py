"""What the CRM is asked and told: who is called, how the call ended, who must never be called again."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from temporalio import activity

from activities.clients.crm_store import CrmStore
from workflows.contracts.activities import (
    LOOK_UP_CALLEE,
    RECORD_DO_NOT_CALL,
    WRITE_OUTCOME,
    Callee,
    DoNotCall,
    LookUpCallee,
    WriteOutcome,
)


class CrmActivities:
    """Blocking, in worker threads; each one idempotent."""

    def __init__(self, store: CrmStore) -> None:
        self._store = store

    @activity.defn(name=LOOK_UP_CALLEE)
    def look_up_callee(self, wanted: LookUpCallee) -> Callee:
        """Facts that lines may use, and the day at the callee's place. An unknown zone is read as UTC."""
        try:
            zone = ZoneInfo(wanted.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            activity.logger.warning("unknown time zone %r: UTC is taken", wanted.time_zone)
            zone = ZoneInfo("UTC")
        contact = self._store.contact(wanted.phone)
        facts = {"first_name": contact.first_name} if contact and contact.first_name else {}
        return Callee(today=datetime.now(zone).date().isoformat(), facts=facts)

    @activity.defn(name=WRITE_OUTCOME)
    def write_outcome(self, outcome: WriteOutcome) -> None:
        """The call's row."""
        self._store.write_call(outcome)

    @activity.defn(name=RECORD_DO_NOT_CALL)
    def record_do_not_call(self, entry: DoNotCall) -> None:
        """The do-not-call entry."""
        self._store.add_do_not_call(phone=entry.phone, call_id=entry.call_id, source=entry.source)
