"""How long activities may take and how often they are tried, one constant a promise."""

from __future__ import annotations

from datetime import timedelta

from temporalio.common import RetryPolicy

ONCE = RetryPolicy(maximum_attempts=1)
"""For what must not happen twice."""
STEADY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=1),
)
"""For what must happen, however long the store or vendor is away."""
BRIEF = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3)
"""For what a ringing telephone waits for."""

SCRIPT_WITHIN = timedelta(seconds=10)
LOOK_UP_WITHIN = timedelta(seconds=3)
"""Then the call goes on without what the CRM knows."""
DIAL_WITHIN = timedelta(seconds=20)
FIND_WITHIN = timedelta(seconds=30)
END_CALL_WITHIN = timedelta(hours=4)
"""No call at the carrier is longer: until then it has to be ended, however long the REST interface is away."""
READ_CALL_TRY = timedelta(seconds=60)
READ_CALL_WITHIN = timedelta(minutes=10)
WRITE_TRY = timedelta(seconds=10)
WRITE_WITHIN = timedelta(days=7)
"""A CRM that is away for a weekend loses nothing."""
CARRIER_WORD_WITHIN = timedelta(seconds=10)
"""After a dial whose answer was lost: the carrier's first callback comes well within this."""
LAST_TURN_WITHIN = timedelta(seconds=5)
"""After the carrier's last status: the gateway's last turn may still be on its way."""
HANG_UP_WITHIN = timedelta(seconds=20)
"""After the script is over: then the call is ended through the carrier's REST interface."""
OPT_OUT_WITHIN = timedelta(seconds=3)
"""How long the hang-up waits for the do-not-call entry."""
GATEWAY_GONE_AFTER = timedelta(seconds=2)
"""A directive that its gateway did not take by then is for a gateway that is gone."""
DIRECTIVE_WITHIN = timedelta(seconds=5)
START_RECORDING_WITHIN = timedelta(seconds=15)
"""Consent was given: a recording that begins much later would lack the words that it is kept for."""
RECORDING_TOLD_WITHIN = timedelta(seconds=20)
"""After the end of a recorded call: the carrier's last word on its recording, length and all."""
SUPERVISOR_WAITS = timedelta(seconds=30)
"""For an order to be carried out, a dead gateway and the carrier's REST interface included."""
REFUSALS_TO_REVIEW = 3
"""Refused moves in one call after which a person should look at it."""
