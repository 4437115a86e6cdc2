"""PURE. What the recogniser of a process went through; read by whoever tells the operator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class ListenCounts:
    """Of all streams. Written by the adapter alone."""

    opened: int = 0
    refused: int = 0
    """Opening failed, for whatever reason."""
    reconnects: int = 0
    reconnect_ms: float = 0.0
    """All reconnects together, from the loss to the new socket."""
    given_up: int = 0
    """Streams that could not be had back."""
    silent_sockets: int = 0
    audio_sent_again_ms: int = 0
    audio_dropped_ms: int = 0
    """Never sent: the ring was full."""
    malformed: int = 0
    late: int = 0
    complaints: int = 0
