"""A link to no workflow: attaches every call to the sample script; keeps nothing, or what was heard, in a file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from workflows.contracts.payloads import (
    AfterStream,
    AnsweredBy,
    Attached,
    AttachRequest,
    CallInput,
    CarrierUpdate,
    MediaLost,
    NextStep,
    RecordingUpdate,
    StreamEnded,
    TurnCompleted,
    TurnHeard,
)
from workflows.script.machine import initial_state
from workflows.script.parse import parse_script


class NoLink:
    """Implements WorkflowLink."""

    def __init__(self, script: Path, heard: Path | None = None) -> None:
        self._heard = heard
        """Takes a line of JSON for each turn that is over: its call and what the caller heard of it."""
        self._yaml = script.read_text(encoding="utf-8")
        self._script = parse_script(self._yaml, name=str(script))

    depth = 0
    oldest_age_s = 0.0

    async def attach(self, call_id: str, request: AttachRequest) -> Attached:
        """Every call is new."""
        return Attached(
            epoch=1,
            next_seq=1,
            script_yaml=self._yaml,
            state=initial_state(self._script),
            today="2026-11-23",
            facts={},
            resumed=False,
        )

    async def start_inbound(self, call: CallInput) -> None:
        """Nothing."""

    async def stream_ended(self, call_id: str, ended: StreamEnded) -> AfterStream:
        """Nothing follows."""
        return AfterStream(step=NextStep.HANG_UP)

    def turn_completed(self, call_id: str, turn: TurnCompleted) -> None:
        """What was heard of the turn before."""
        self._keep(call_id, turn.before)

    def carrier_status(self, call_id: str, update: CarrierUpdate) -> None:
        """Nothing."""

    def answered_by(self, call_id: str, verdict: AnsweredBy) -> None:
        """Nothing."""

    def recording_status(self, call_id: str, update: RecordingUpdate) -> None:
        """Nothing."""

    def media_lost(self, call_id: str, lost: MediaLost) -> None:
        """What was heard of the last turn."""
        self._keep(call_id, lost.heard)

    def _keep(self, call_id: str, heard: TurnHeard | None) -> None:
        if self._heard is not None and heard is not None:
            with self._heard.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"call": call_id, **asdict(heard)}) + "\n")

    async def flush(self, call_id: str, *, within_s: float) -> bool:
        """Nothing waits."""
        return True

    async def close(self, *, within_s: float = 5.0) -> None:
        """Nothing is open."""
