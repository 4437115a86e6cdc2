"""PURE. The call as a page: what was on the line, what was believed, what was checked."""

from __future__ import annotations

from rehearsal.evidence.report import Case, Check
from workflows.contracts.payloads import TurnKind


def transcript_markdown(call_id: str, case: Case, checks: list[Check]) -> str:
    """Markdown."""
    result = case.result
    rows = [
        f"# Call {call_id}",
        "",
        f"{case.script.title} · outcome **{result.outcome.value}** · "
        f"{case.wire.duration_ms / 1000:.1f} s on the line",
        "",
        "Times are on the line, from the answer. In italics: what an independent recogniser heard there.",
        "",
    ]
    for turn in case.turns:
        record = turn.record
        if turn.caller is not None:
            rows += [
                f"**{_clock(turn.caller.utterance.span.start_ms)} caller** {record.caller_words}  ",
                f"_{turn.caller.words}_",
                "",
            ]
        if turn.agent is None:
            continue
        notes = [record.stage, record.move or record.kind.value]
        if turn.gap_ms is not None:
            notes.append(f"{turn.gap_ms} ms after the caller")
        if record.interrupted and record.kind is not TurnKind.HANG_UP:
            notes.append("interrupted")
        if record.objection:
            notes.append(f"objection {record.objection}")
        if record.refusal:
            notes.append(f"refused: {record.refusal}")
        if record.passages and record.move == "answer_question":
            notes.append(f"from {record.passages[0]}")
        rows += [
            f"**{_clock(turn.agent.utterance.span.start_ms)} agent** {record.heard_words}  ",
            f"_{turn.agent.words}_  ",
            f"`{' · '.join(notes)}`",
            "",
        ]
    rows += ["## Slots", "", "| slot | value |", "| --- | --- |"]
    rows += [f"| {name} | {value!r} |" for name, value in result.slots.items()]
    if result.post_call is not None:
        rows += ["", "## After the call", "", result.post_call.summary, ""]
        rows += [f"- objection: {words}" for words in result.post_call.objections]
        rows += [f"- next: {result.post_call.next_step}"]
    rows += ["", "## Checks", "", "| | check | seen |", "| --- | --- | --- |"]
    rows += [f"| {'ok' if c.ok else 'FAILED'} | {c.name} | {c.saw} |" for c in checks]
    return "\n".join(rows) + "\n"


def _clock(ms: int) -> str:
    return f"{ms // 60_000}:{ms / 1000 % 60:04.1f}"
