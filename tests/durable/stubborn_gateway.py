"""`python -m tests.durable.stubborn_gateway HOW`: a gateway with a call that cannot be given away, or cannot be asked to."""

from __future__ import annotations

import sys

from callspine import gateway
from callspine.logs import configure
from callspine.settings import load_settings
from media_gateway.sessions import Sessions
from media_gateway.turn_totals import TurnTotals
from workflows.contracts.payloads import AfterStream, Directive, DirectiveDone


class Stubborn:
    """Implements LiveCall."""

    call_id = "c1"
    ending: AfterStream | None = None
    totals = TurnTotals()

    def direct(self, directive: Directive) -> DirectiveDone:
        return DirectiveDone(accepted=False, reason="stubborn")

    def hand_over(self) -> None:
        if sys.argv[1] == "broken":
            raise RuntimeError("a bug")

    def break_off(self) -> None:
        pass


class WithACall(Sessions):
    """Carries it from the start."""

    def __init__(self) -> None:
        super().__init__()
        self.add(Stubborn())


if __name__ == "__main__":
    setattr(gateway, "Sessions", WithACall)  # noqa: B010 - a fault, put in from outside
    configure("gateway")
    gateway.run(load_settings())
