"""PURE. Whether a script that records asks for it: a line that is heard in full, a yes of its own, and a way on without."""

from __future__ import annotations

from collections.abc import Iterator

from workflows.script.compiled import COMPILED_STAGES
from workflows.script.model import Move, Recording, Script, Stage
from workflows.script.unsound import Unsound


def problems_of_recording(script: Script) -> Iterator[Unsound]:
    """Everything that is wrong with how a script comes to record its calls."""
    asking = [
        (stage, move)
        for name, stage in script.stages.items()
        if name not in COMPILED_STAGES
        for move in stage.moves
        if move.consents_to_recording
    ]
    wants_consent = script.recording is Recording.AFTER_CONSENT
    if wants_consent and not asking:
        yield Unsound(
            path=("recording",),
            what="calls are recorded after consent, but no move gives it",
            remedy="set `consents_to_recording: true` at the move that says yes to it",
        )
    for stage, move in asking:
        at = ("stages", stage.name, "moves", move.name, "consents_to_recording")
        if not wants_consent:
            yield Unsound(
                path=at,
                what=f"move `{move.name}` consents to a recording that is never made so",
                remedy="set `recording: after_consent` at the top, or remove this",
            )
        else:
            yield from _question(script, stage)
            yield from _answer(stage, move, at)


def _question(script: Script, stage: Stage) -> Iterator[Unsound]:
    if not stage.opening.must_say:
        yield Unsound(
            path=("stages", stage.name),
            what=f"stage `{stage.name}` asks for consent to record with a line that may be cut short",
            remedy="set `must_say: true`",
        )
    if script.language.startswith("en") and "record" not in stage.opening.text.lower():
        yield Unsound(
            path=("stages", stage.name, "opening"),
            what=f"the opening of `{stage.name}` does not say that the call would be recorded",
            remedy="ask it: `May I record this call?`",
        )
    if all(move.consents_to_recording or move.to is None for move in stage.moves):
        yield Unsound(
            path=("stages", stage.name, "moves"),
            what=f"a caller who refuses to be recorded has no way on from `{stage.name}`",
            remedy="add a move for a no that leads on, or to an end",
        )


def _answer(stage: Stage, move: Move, at: tuple[str | int, ...]) -> Iterator[Unsound]:
    if move.when_complete:
        yield Unsound(
            path=at,
            what=f"move `{move.name}` would consent by itself",
            remedy="remove `when_complete`: consent is said, never concluded from slots",
        )
    if move.to is None or move.to == stage.name:
        yield Unsound(
            path=at,
            what=f"move `{move.name}` consents and stays: the caller would be asked again",
            remedy="give it `to: <stage>`",
        )
