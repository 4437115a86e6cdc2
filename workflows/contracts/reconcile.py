"""PURE. What is asked and told when calls whose workflow is gone are looked for."""

from __future__ import annotations

from dataclasses import dataclass, field

RECONCILE_TASK_QUEUE = "reconcile"
"""Its own: it must go on when the calls' workers do not."""
HANG_UP_ORPHANS = "hang_up_orphans"
CALL_WORKFLOW_TYPE = "CallWorkflow"
"""By name: an activity knows no workflow."""


@dataclass(frozen=True, kw_only=True)
class LookForOrphans:
    """Which closed calls to look at."""

    look_back_s: int = 4 * 3600
    """Since they closed. No call is longer: carriers end one after four hours whatever happens."""
    most: int = 500
    """The newest ones; a run stays short however much went wrong."""


@dataclass(frozen=True, kw_only=True)
class Orphans:
    """What was found. All texts are workflow ids."""

    looked_at: int
    over: int = 0
    """The carrier says that the call is over, or does not know it."""
    never_placed: int = 0
    """No call of the carrier's is in the history."""
    gone_on: list[str] = field(default_factory=list)
    """Alive, and in the care of a newer run of the same workflow: left alone."""
    hung_up: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    """History or carrier could not be read; the next run tries again."""
    more: bool = False
    """There were more than the most."""
