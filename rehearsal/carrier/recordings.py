"""A call's recordings at the carrier: begun over REST in mid-call, two channels or one, told of by callbacks.

As documented, but for `trim-silence`, which is taken and not done.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Literal, NamedTuple

from rehearsal.carrier.record import StereoRecording, Witness

CURRENT = "Twilio.CURRENT"
"""In place of a recording's sid: the one that runs."""
Status = Literal["in-progress", "paused", "stopped", "completed", "absent"]
LIVE = ("in-progress", "paused")
SILENCE = b"\xff" * 160
EVENTS = ("in-progress", "completed", "absent")


class RecordingRequest(NamedTuple):
    """What a REST client asked for."""

    channels: Literal[1, 2] = 1
    callback: str = ""
    events: tuple[str, ...] = ("completed",)


@dataclass
class Recording:
    """One of them. Its file is there once its status is `completed`."""

    request: RecordingRequest
    path: Path
    sid: str = field(default_factory=lambda: "RE" + uuid.uuid4().hex)
    status: Status = "in-progress"
    created: str = field(default_factory=lambda: formatdate(usegmt=True))
    started_s: float = field(default_factory=time.time)
    skips_pause: bool = False
    audio: StereoRecording = field(default_factory=StereoRecording)

    @property
    def duration_s(self) -> int:
        """Whole seconds, as the carrier counts them."""
        return round(self.audio.duration_ms / 1000)


class CallRecordings:
    """The recordings of one call. `add` takes the line's 20 ms; `close` ends what still runs."""

    def __init__(
        self,
        folder: Path,
        witness: Witness,
        tell: Callable[[str, dict[str, str]], None],
        about: dict[str, str],
    ) -> None:
        self._folder = folder
        self._witness = witness
        self._tell_customer = tell
        self._about = about
        """Fields of every callback: account, call, and where the API is."""
        self.all: list[Recording] = []
        self._finishing = asyncio.Lock()

    def start(self, request: RecordingRequest) -> Recording:
        """Record from now on."""
        recording = Recording(request=request, path=Path())
        recording.path = self._folder / f"{recording.sid}.wav"
        self.all.append(recording)
        self._witness.saw(
            "recording_started", sid=recording.sid, channels=recording.request.channels
        )
        self._tell(recording, "in-progress")
        return recording

    def find(self, sid: str) -> Recording | None:
        """By its sid, or the newest that runs for `Twilio.CURRENT`."""
        if sid == CURRENT:
            return next((one for one in reversed(self.all) if one.status in LIVE), None)
        return next((one for one in self.all if one.sid == sid), None)

    async def change(self, recording: Recording, status: Status, *, skips_pause: bool) -> None:
        """Pause it, go on, or stop it for good."""
        self._witness.saw("recording_changed", sid=recording.sid, status=status)
        recording.skips_pause = skips_pause
        recording.status = status
        if status == "stopped":
            async with self._finishing:
                await self._finish(recording)

    def add(self, caller: bytes, agent: bytes) -> None:
        """The same 20 ms of both sides."""
        for recording in self.all:
            if recording.status == "in-progress":
                recording.audio.add(caller, agent)
            elif recording.status == "paused" and not recording.skips_pause:
                recording.audio.add(SILENCE, SILENCE)

    async def close(self) -> None:
        """The call is over, and so is what still runs of it."""
        async with self._finishing:
            for recording in self.all:
                if recording.status in LIVE:
                    await self._finish(recording)

    async def _finish(self, recording: Recording) -> None:
        if not recording.audio.duration_ms:
            recording.status = "absent"
            self._tell(recording, "absent")
            return
        channels = recording.request.channels
        await asyncio.to_thread(recording.audio.write, recording.path, channels=channels)
        recording.status = "completed"
        self._witness.saw(
            "recording_completed", sid=recording.sid, duration_ms=recording.audio.duration_ms
        )
        self._tell(recording, "completed")

    def _tell(self, recording: Recording, event: str) -> None:
        if not recording.request.callback or event not in recording.request.events:
            return
        base = f"{self._about['ApiUrl']}/2010-04-01/Accounts/{self._about['AccountSid']}"
        fields = {
            "AccountSid": self._about["AccountSid"],
            "CallSid": self._about["CallSid"],
            "RecordingSid": recording.sid,
            "RecordingUrl": f"{base}/Recordings/{recording.sid}",
            "RecordingStatus": event,
            "RecordingChannels": str(recording.request.channels),
            "RecordingStartTime": formatdate(recording.started_s, usegmt=True),
            "RecordingSource": "StartCallRecordingAPI",
            "RecordingTrack": "both",
            "ErrorCode": "0",
        }
        if event != "in-progress":
            fields["RecordingDuration"] = str(recording.duration_s)
        self._tell_customer(recording.request.callback, fields)
