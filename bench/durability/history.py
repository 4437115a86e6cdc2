"""What a turn costs of a call's history: the events of a scripted call of twenty turns, as the server keeps them.

A turn's events are those from its signal to the next one's; the next turn is sent once the workflow has taken this
one, as in a call, where seconds lie between them.
"""

from __future__ import annotations

import os
from collections import Counter
from itertools import pairwise

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.durability.engine import engine
from bench.durability.post import timed_link
from bench.report import report
from workflows.call import CallWorkflow
from workflows.contracts.payloads import MediaLost, TurnCompleted, TurnHeard, TurnKind

LIMIT = 4
STAYS: dict[str, str] = {}
CALL: tuple[tuple[str, dict[str, str]], ...] = (
    ("continue_stage", STAYS),
    ("permission_given", {}),
    ("continue_stage", STAYS),
    ("owns", {"is_homeowner": "yes"}),
    ("objection_bad_reviews", STAYS),
    ("continue_stage", STAYS),
    ("roof_known", {"roof_type": "metal", "roof_age_years": "6"}),
    ("objection_too_expensive", STAYS),
    ("worth_it", {"monthly_bill_usd": "$180"}),
    ("continue_stage", STAYS),
    ("interest_known", {"wants_battery": "yes"}),
    ("objection_already_have_quote", STAYS),
    ("objection_need_to_ask_spouse", STAYS),
    ("agrees_to_visit", {}),
    ("a_move_that_is_not_there", STAYS),
    ("continue_stage", STAYS),
    ("time_known", {"appointment_at": "2026-11-26T15:00"}),
    ("continue_stage", STAYS),
    ("confirmed", {}),
)
"""Moves after the opening: a long call that sells, with objections, a refused move and talk that leads nowhere."""


def _turns() -> list[TurnCompleted]:
    opening = TurnCompleted(epoch=1, seq=1, kind=TurnKind.OPENING, saying="Hi, this is Joe.")
    return [opening] + [
        TurnCompleted(
            epoch=1,
            seq=seq,
            kind=TurnKind.REPLY,
            before=TurnHeard(
                seq=seq - 1,
                heard_words="An answer that was heard.",
                lines_heard=["disclosure.opening"] if seq == 2 else [],
            ),
            caller_words="What the caller says to it.",
            move=move,
            slots=slots,
        )
        for seq, (move, slots) in enumerate(CALL, start=2)
    ]


async def _events() -> tuple[list[HistoryEvent], list[str]]:
    """The history, and the stage after each turn."""
    async with (
        engine() as running,
        timed_link(running.client, running.folder / "outbox.db") as (link, _),
    ):
        handle, _ = await running.carried("scripted")
        for number, turn in enumerate(_turns(), start=1):
            link.turn_completed("scripted", turn)
            await link.flush("scripted", within_s=20)
            while len((await handle.query(CallWorkflow.snapshot)).turns) < number:
                pass  # each query takes its time
        link.media_lost("scripted", MediaLost(epoch=1, stream_sid="MZ1", clean=True))
        await link.flush("scripted", within_s=20)
        snapshot = await handle.query(CallWorkflow.snapshot)
        history = await handle.fetch_history()
        await handle.terminate()
    return list(history.events), [turn.stage for turn in snapshot.turns]


def _by_turn(events: list[HistoryEvent]) -> list[list[HistoryEvent]]:
    """The events of each turn, oldest first."""
    signals = [
        n
        for n, event in enumerate(events)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    ]
    return [events[a:b] for a, b in pairwise(signals)]


def _kind(event: HistoryEvent) -> str:
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower().replace("_", " ")


async def main() -> None:
    """Measure, print, write."""
    load_before = os.getloadavg()[0]
    events, stages = await _events()
    turns = _by_turn(events)
    if len(turns) != len(stages):
        raise RuntimeError(f"{len(stages)} turns, but {len(turns)} signals")
    before = [stages[0], *stages]  # an opening begins where it stays
    moved = [a != b for a, b in zip(before, stages, strict=False)]
    staying = [turn for turn, moves in zip(turns, moved, strict=True) if not moves]
    moving = [turn for turn, moves in zip(turns, moved, strict=True) if moves]
    groups = {"turn that stays": staying, "turn that moves": moving, "all turns": turns}
    kinds = dict.fromkeys(_kind(event) for turn in turns for event in turn)
    counts = {
        name: Counter(_kind(event) for turn in group for event in turn)
        for name, group in groups.items()
    }
    rows: list[dict[str, str | int | float]] = [
        {"event": kind, **{name: counts[name][kind] / len(groups[name]) for name in groups}}
        for kind in kinds
    ]
    rows.append(
        {
            "event": "all",
            **{name: sum(map(len, group)) / len(group) for name, group in groups.items()},
        }
    )
    size = sum(event.ByteSize() for event in events)
    notes = [
        f"load before: {load_before:.2f}",
        f"{len(turns)} turns ({len(staying)} stay, {len(moving)} move): {sum(map(len, turns))} events; "
        f"the call's history so far: {len(events)} events, {size} bytes",
    ]
    for name, group in groups.items():
        mean = sum(map(len, group)) / len(group)
        verdict = "within" if mean <= LIMIT else "OVER"
        notes.append(f"{name}: {mean:.2f} events a turn, {verdict} the limit of {LIMIT}")
    report("history", "Events of the history a turn", rows, notes)
