"""PURE. A call in words: the transcript that is read after it, and the details that the Temporal UI shows meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from workflows.contracts.payloads import TurnRecord
from workflows.script.state import ScriptState

SHOWN_TURNS = 6
"""Newest turns in the current details: the server keeps no more than 20 kB of them."""
LONGEST_SHOWN = 600
"""Characters of one side of one turn there."""


def transcript_of(turns: Iterable[TurnRecord]) -> str:
    """What both sides heard, one line a speaker."""
    lines = []
    for turn in turns:
        if turn.caller_words:
            lines.append(f"caller: {turn.caller_words}")
        if words := agent_words(turn):
            lines.append(f"agent: {words}{' [interrupted]' if turn.interrupted else ''}")
    return "\n".join(lines)


def agent_words(turn: TurnRecord) -> str:
    """What was heard of the agent; of a turn whose gateway died or that is not over, what it began to say."""
    return turn.heard_words if turn.is_over else turn.saying


def current_details(
    state: ScriptState | None,
    turns: list[TurnRecord],
    *,
    carrier_status: str,
    gateway_id: str = "",
    resumes: int = 0,
    ignored: int = 0,
) -> str:
    """Markdown for the Temporal UI."""
    if state is None:
        return "loading the script"
    rows = [
        f"**stage** {state.stage} · **carrier** {carrier_status or 'none yet'}"
        + (f" · **gateway** {gateway_id}" if gateway_id else "")
        + (f" · **outcome** {state.outcome.value}" if state.outcome else ""),
    ]
    if state.slots:
        rows.append("**slots** " + ", ".join(f"{k} = {v}" for k, v in state.slots.items()))
    if state.refused or ignored or resumes:
        rows.append(
            f"**refused moves** {state.refused} · **ignored signals** {ignored} "
            f"· **taken up again** {resumes}"
        )
    answered = [turn for turn in turns if turn.caller_words and turn.timings.first_audio_sent]
    if answered:
        last_ms = answered[-1].timings.first_audio_sent
        rows.append(f"**last answer** {last_ms} ms after the caller's last sound")
    said = []
    for turn in turns[-SHOWN_TURNS:]:
        if turn.caller_words:
            said.append(f"- caller: {turn.caller_words[:LONGEST_SHOWN]}")
        cut = " …" if turn.interrupted or not turn.is_over else ""
        what = turn.move or turn.kind.value
        if turn.refusal:
            what += f", refused: {turn.refusal}"
        said.append(f"- agent ({what}): {agent_words(turn)[:LONGEST_SHOWN]}{cut}")
    return "\n\n".join([*rows, "\n".join(said)]).rstrip()
