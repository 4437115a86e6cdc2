"""`python -m rehearsal.faulty_gateway lost-turn`: the gateway with one part broken on purpose, to see the demo's checks fail."""

from __future__ import annotations

import sys
from dataclasses import replace

from callspine.gateway import run
from callspine.logs import configure
from callspine.settings import load_settings
from media_gateway.workflow_link import TemporalLink
from workflows.contracts.payloads import TurnCompleted

LOST_SEQ = 4


def lose_a_turn() -> None:
    """The fourth turn is never told to the workflow; those after it move up, so that nothing else gives it away."""
    tell = TemporalLink.turn_completed

    def lossy(link: TemporalLink, call_id: str, turn: TurnCompleted) -> None:
        if turn.seq < LOST_SEQ:
            tell(link, call_id, turn)
        elif turn.seq > LOST_SEQ:
            tell(link, call_id, replace(turn, seq=turn.seq - 1))

    setattr(TemporalLink, "turn_completed", lossy)  # noqa: B010 - a fault, put in from outside


def main() -> int:
    """Run the faulty gateway."""
    if sys.argv[1:] != ["lost-turn"]:
        sys.stderr.write("usage: python -m rehearsal.faulty_gateway lost-turn\n")
        return 2
    lose_a_turn()
    configure("gateway")
    run(load_settings())
    return 0


if __name__ == "__main__":
    sys.exit(main())
