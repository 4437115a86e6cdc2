"""`python -m tests.durable.dying_gateway FILE`: hands turns over while Temporal is away, then is killed like any process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from temporalio.client import Client

from media_gateway.workflow_link import TemporalLink
from workflows.contracts.payloads import TurnCompleted, TurnKind

TURNS = range(2, 7)


async def main(outbox_file: Path) -> None:
    """Never returns."""
    link = await TemporalLink.open(await Client.connect("127.0.0.1:9", lazy=True), outbox_file)
    for seq in TURNS:
        turn = TurnCompleted(epoch=1, seq=seq, kind=TurnKind.REPLY, caller_words=f"words {seq}")
        link.turn_completed("c1", turn)
    await link.written()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
