"""PURE. One call told from its evidence, moment by moment: what one reads when a verdict is not what one hoped for."""

from __future__ import annotations

from collections.abc import Sequence

from chaos.questions import Questions
from chaos.seen import CallSeen, Strike


def story(call: CallSeen, strikes: Sequence[Strike], questions: Questions) -> str:
    """Times are seconds from the answer."""
    told: list[tuple[float, str]] = []
    for line in call.lines:
        stage = questions.stage(line.phrase)
        cut = "" if line.is_whole else f"   | cut, of: {line.phrase or '?'}"
        mark = f"[{stage}] " if stage else ""
        told.append((line.span.start_ms, f"agent   {mark}{line.words}{cut}"))
    told += [(said.span.start_ms, f"caller  {said.words}") for said in call.said]
    for stream in call.streams:
        told.append((stream.began_ms, "stream  begins"))
        how = "breaks" if stream.is_broken else "ends"
        told.append((stream.ended_ms, f"stream  {how}"))
    for signal in call.signals:
        note = "stale " if signal.is_stale else ""
        text = f"signal  {note}epoch {signal.epoch} seq {signal.seq} {signal.kind}: {signal.caller_words}"
        told.append((signal.at_ms, text))
    if call.answered_at_s is not None:
        for strike in strikes:
            told.append((call.since_answer_ms(strike.at_s), f"STRIKE  {strike.what}"))
            if strike.until_s is not None:
                told.append((call.since_answer_ms(strike.until_s), f"BACK    {strike.what}"))
    told.append((call.ended_ms, "call    over"))
    lines = [f"{at_ms / 1000:8.2f}  {text}" for at_ms, text in sorted(told, key=lambda t: t[0])]
    turns = [f"    {t.seq:3} {t.kind:8} {t.stage:12} {t.caller_words}" for t in call.turns]
    head = (
        f"call/{call.call_id}: {call.outcome or 'no result'}, workflow {call.workflow_status}",
        f"slots {call.slots}",
        *call.troubles,
    )
    return "\n".join([*head, "", *lines, "", "recorded turns", *turns, ""])
