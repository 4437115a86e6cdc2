"""PURE. A call in words: the transcript that is read after it, and the details that the Temporal UI shows meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from workflows.contracts.payloads import TurnRecord
from workflows.script.state import ScriptState

SHOWN_TURNS = 6
"""Newest turns in the current details: the server keeps no more than 20 kB of them."""
LONGEST_SHOWN = 600
"""Characters of one side of one turn there."""
_MARKUP = re.compile(r"[\\`*_\[\]<>&#|~!$]")
"""The UI shows Markdown and the HTML in it; a caller's and a model's words must be neither."""


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


def last_answer_ms(turns: Iterable[TurnRecord]) -> int | None:
    """Milliseconds from the caller's last sound to the newest answer; None when none was given yet."""
    answered = [turn.timings.first_audio_sent for turn in turns if turn.caller_words]
    return next((sent for sent in reversed(answered) if sent is not None), None)


def current_details(
    state: ScriptState | None,
    turns: list[TurnRecord],
    *,
    carrier_status: str,
    gateway_id: str = "",
    resumes: int = 0,
    ignored: int = 0,
    needs_review: bool = False,
) -> str:
    """Markdown for the Temporal UI. Nothing that was said is markup there."""
    if state is None:
        return "loading the script"
    head = f"**stage** {_plain(state.stage)} · **carrier** {carrier_status or 'none yet'}"
    if gateway_id:
        head += f" · **gateway** {_plain(gateway_id)}"
    if state.outcome:
        head += f" · **outcome** {_plain(state.outcome.value)}"
    if needs_review:
        head += " · **needs review**"
    rows = []
    if state.slots:
        slots = (f"{_plain(name)} = {_plain(str(value))}" for name, value in state.slots.items())
        rows.append("- **slots** " + ", ".join(slots))
    if state.refused or ignored or resumes:
        rows.append(
            f"- **refused moves** {state.refused} · **ignored signals** {ignored} "
            f"· **taken up again** {resumes}"
        )
    if (last_ms := last_answer_ms(turns)) is not None:
        rows.append(f"- **last answer** {last_ms} ms after the caller's last sound")
    said = [line for turn in turns[-SHOWN_TURNS:] for line in _shown(turn)]
    # Lists, because the UI draws paragraphs and nested lists far apart or not at all.
    parts = [head, "\n".join(rows), "**last words**" if said else "", "\n".join(said)]
    return "\n\n".join(part for part in parts if part)


def _shown(turn: TurnRecord) -> Iterator[str]:
    """One turn's lines: who said what, and what the script made of it."""
    if turn.caller_words:
        yield f"- **caller** {_plain(turn.caller_words)}"
    words = _plain(agent_words(turn))
    if turn.interrupted or not turn.is_over:
        words += " …"
    what = _plain(turn.move or turn.kind.value)
    if turn.caller_words and turn.timings.first_audio_sent is not None:
        what += f" · {turn.timings.first_audio_sent} ms"
    line = f"- **agent** {words} *({what})*"
    if turn.refusal:
        line += f" · **refused** {_plain(turn.refusal)}"
    for name, reason in turn.rejected_slots.items():
        line += f" · **rejected** {_plain(name)}: {_plain(reason)}"
    yield line


def _plain(text: str) -> str:
    """On one line, cut where it is endless, and without a meaning in Markdown or HTML."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text[:LONGEST_SHOWN].split()))
