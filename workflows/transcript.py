"""PURE. A call in words: the transcript that is read after it, and the details that the Temporal UI shows meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from workflows.contracts.payloads import TurnKind, TurnRecord
from workflows.script.state import ScriptState

SHOWN_TURNS = 6
"""Newest turns in the current details: the server keeps no more than 20 kB of them."""


def transcript_of(turns: Iterable[TurnRecord]) -> str:
    """What both sides heard, one line a speaker."""
    lines = []
    for turn in turns:
        if turn.caller_words:
            lines.append(f"caller: {turn.caller_words}")
        if turn.heard_words:
            lines.append(f"agent: {turn.heard_words}{' [interrupted]' if turn.interrupted else ''}")
    return "\n".join(lines)


def current_details(
    state: ScriptState | None, turns: list[TurnRecord], carrier_status: str, ignored: int
) -> str:
    """Markdown for the Temporal UI."""
    if state is None:
        return "loading the script"
    rows = [
        f"**stage** {state.stage} · **carrier** {carrier_status or 'none yet'}"
        + (f" · **outcome** {state.outcome.value}" if state.outcome else ""),
    ]
    if state.slots:
        rows.append("**slots** " + ", ".join(f"{k} = {v}" for k, v in state.slots.items()))
    if state.refused or ignored:
        rows.append(f"**refused moves** {state.refused} · **ignored signals** {ignored}")
    last = turns[-1].timings.first_audio_sent if turns else None
    if last is not None and turns[-1].kind is TurnKind.REPLY:
        rows.append(f"**last answer** {last} ms after the caller's last sound")
    said = []
    for turn in turns[-SHOWN_TURNS:]:
        if turn.caller_words:
            said.append(f"- caller: {turn.caller_words}")
        cut = " …" if turn.interrupted else ""
        said.append(f"- agent ({turn.move or turn.kind.value}): {turn.heard_words}{cut}")
    return "\n\n".join([*rows, "\n".join(said)]).rstrip()
