"""Collects a rehearsed call's evidence: what was on the wire, beside what the workflow recorded."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from media_gateway.knowledge.passages import Chunk
from rehearsal.evidence.checks import all_checks
from rehearsal.evidence.line import Span, cut
from rehearsal.evidence.picture import draw_timeline
from rehearsal.evidence.report import Case, Check, CrmEvidence, Evidence, Spoken, TurnEvidence
from rehearsal.evidence.transcript import transcript_markdown
from rehearsal.evidence.wire import Wire, read_wire
from rehearsal.recogniser import LocalRecogniser
from workflows.contracts.payloads import CallResult, TurnKind, TurnRecord
from workflows.script.model import Script

LAST_WORDS_MS = 2000
MURMUR_NEAR_MS = 1000
"""Between the witness's clock and the recording's."""

__all__ = ["Check", "CrmEvidence", "Evidence", "collect"]


def collect(
    *,
    call_id: str,
    record_dir: Path,
    out_dir: Path,
    result: CallResult,
    history_signals: int,
    crm: CrmEvidence,
    script: Script,
    passages: list[Chunk],
) -> Evidence:
    """Write `out_dir/call_id/` and judge the call. Blocking, some seconds. Raises FileNotFoundError for an unanswered call."""
    source, folder = record_dir / result.call_sid, out_dir / call_id
    wire = read_wire(source)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("call.wav", "witness.jsonl"):
        shutil.copyfile(source / name, folder / name)
    spoken, murmurs = murmurs_apart(wire, recognised(wire))
    turns = turns_on_the_line(result.turns, spoken)
    case = Case(
        wire=wire,
        spoken=spoken,
        murmurs=murmurs,
        last_words=_last_words(wire),
        turns=turns,
        result=result,
        signals=history_signals,
        crm=crm,
        script=script,
        passages={chunk.source: chunk.text for chunk in passages},
    )
    checks = all_checks(case)
    (folder / "turns.json").write_text(
        json.dumps([_turn_json(turn) for turn in turns], indent=2) + "\n", encoding="utf-8"
    )
    (folder / "transcript.md").write_text(
        transcript_markdown(call_id, case, checks), encoding="utf-8"
    )
    draw_timeline(case, folder / "timeline.png")
    return Evidence(folder=folder, checks=checks, turns=turns)


def recognised(wire: Wire) -> tuple[Spoken, ...]:
    """Every utterance on the line with what an independent recogniser makes of it."""
    recogniser = LocalRecogniser()
    channels = {"caller": wire.caller, "agent": wire.agent}
    return tuple(
        Spoken(
            utterance=utterance,
            words=recogniser.words(cut(channels[utterance.speaker], utterance.span)),
        )
        for utterance in wire.utterances
    )


def murmurs_apart(
    wire: Wire, spoken: tuple[Spoken, ...]
) -> tuple[tuple[Spoken, ...], tuple[Spoken, ...]]:
    """Turns, and what the caller was told to say over the agent without wanting the floor."""
    murmurs: list[Spoken] = []
    for event in wire.of_kind("caller_murmurs"):
        away = [
            (abs(one.utterance.span.start_ms - (event.t_ms or 0.0)), one)
            for one in spoken
            if one.utterance.speaker == "caller" and one not in murmurs
        ]
        away_ms, nearest = min(away, key=lambda found: found[0], default=(0.0, None))
        if nearest is not None and away_ms <= MURMUR_NEAR_MS:
            murmurs.append(nearest)
    return tuple(one for one in spoken if one not in murmurs), tuple(murmurs)


def _last_words(wire: Wire) -> str:
    ends_ms = [u.span.end_ms for u in wire.utterances if u.speaker == "agent"]
    if not ends_ms:
        return ""
    last = Span(start_ms=ends_ms[-1] - LAST_WORDS_MS, end_ms=ends_ms[-1])
    return LocalRecogniser().words(cut(wire.agent, last))


def turns_on_the_line(
    records: list[TurnRecord], spoken: tuple[Spoken, ...]
) -> tuple[TurnEvidence, ...]:
    """Each recorded turn beside the utterances that are its own: caller's words, then the agent's."""
    callers = iter([item for item in spoken if item.utterance.speaker == "caller"])
    turns = []
    for record in records:
        caller = next(callers, None) if record.caller_words else None
        start_ms = caller.utterance.span.end_ms if caller else 0
        agent = next(
            (
                item
                for item in spoken
                if item.utterance.speaker == "agent" and item.utterance.span.start_ms >= start_ms
            ),
            None,
        )
        is_spoken = bool(record.heard_words) and (caller or record.kind is TurnKind.OPENING)
        turns.append(TurnEvidence(record=record, caller=caller, agent=agent if is_spoken else None))
    return tuple(turns)


def _turn_json(turn: TurnEvidence) -> dict[str, object]:
    def side(spoken: Spoken | None) -> dict[str, object] | None:
        if spoken is None:
            return None
        span = spoken.utterance.span
        return {"start_ms": span.start_ms, "end_ms": span.end_ms, "recognised": spoken.words}

    return {
        **asdict(turn.record),
        "on_the_line": {
            "caller": side(turn.caller),
            "agent": side(turn.agent),
            "gap_ms": turn.gap_ms,
        },
    }
