"""A call's recording: begun when the script says so, stopped when it is withdrawn, and what the carrier tells of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows import activity_calls, policies
    from workflows.contracts.payloads import CallRecording, RecordingStatus, RecordingUpdate

NOT_BEGUN = "the carrier did not begin to record"
NOT_STOPPED = "the carrier did not stop recording"


class Recorder:
    """One call's recording. `run` it beside the call; it goes with the line when the call ends."""

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._kept: CallRecording | None = None
        self._has_not_begun = False
        self._has_not_stopped = False
        self._is_withdrawn = False

    @property
    def result(self) -> CallRecording | None:
        """As it stands; None when nothing was recorded and nothing was to be."""
        if self._kept is None:
            return (
                CallRecording(recording_sid="", failure=NOT_BEGUN) if self._has_not_begun else None
            )
        failure = NOT_STOPPED if self._has_not_stopped else ""
        return replace(self._kept, withdrawn=self._is_withdrawn, failure=failure)

    async def run(self, is_wanted: Callable[[], bool], call_sid: Callable[[], str]) -> None:
        """Begin, and stop. Nothing is asked of the carrier before `is_wanted`, and nothing is begun twice."""
        await workflow.wait_condition(is_wanted)
        await self._start(call_sid())
        await workflow.wait_condition(lambda: not is_wanted())
        self._is_withdrawn = True
        # Also after a start that failed: its answer may be what was lost.
        await self._stop(call_sid())

    def take(self, update: RecordingUpdate) -> None:
        """A status callback. The first recording is the call's; a final status stays."""
        known = self._kept or CallRecording(recording_sid=update.recording_sid)
        if known.recording_sid != update.recording_sid:
            workflow.logger.warning("the call has a second recording")
            return
        if known.status and RecordingStatus(known.status).is_final:
            return
        self._kept = replace(
            known,
            status=update.status.value,
            duration_s=known.duration_s if update.duration_s is None else update.duration_s,
            url=update.url or known.url,
        )

    async def told(self) -> None:
        """Once the call is over: wait for the carrier's last word, for so long as it usually takes."""
        if self._kept is None:
            return
        try:
            await workflow.wait_condition(
                lambda: self._is_told, timeout=policies.RECORDING_TOLD_WITHIN
            )
        except TimeoutError:
            workflow.logger.warning("the carrier has not told of the end of the recording")

    @property
    def _is_told(self) -> bool:
        kept = self._kept
        return kept is not None and bool(kept.status) and RecordingStatus(kept.status).is_final

    async def _start(self, call_sid: str) -> None:
        try:
            recording_sid = await activity_calls.start_recording(self._call_id, call_sid)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("the call could not be recorded")
            self._has_not_begun = True
            return
        self._kept = self._kept or CallRecording(recording_sid=recording_sid)

    async def _stop(self, call_sid: str) -> None:
        try:
            await activity_calls.stop_recording(call_sid)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("the recording could not be stopped")
            self._has_not_stopped = True
