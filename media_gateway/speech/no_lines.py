"""The default of `LineAudio`: nothing was spoken before, the voice is asked for every line."""

from __future__ import annotations

from media_gateway.speech.ports import ReadyAudio


class NoLines:
    """Implements LineAudio."""

    def ready(self, text: str) -> ReadyAudio | None:
        """See LineAudio."""
        return None

    async def close(self) -> None:
        """See LineAudio."""
