"""The opener chosen while the caller still speaks: his words are embedded as they come, the choice itself takes no time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from media_gateway.openers import Opener, OpenersSaid, Vector, fitting_openers
from media_gateway.prefetch import plain_words
from media_gateway.speech.ports import LineAudio
from workflows.script.compiled import global_moves, stop_recording_move
from workflows.script.model import Script
from workflows.script.openers import openers_in
from workflows.script.state import ScriptState

log = structlog.get_logger(__name__)

WAIT_S = 0.03
"""For the embedding of words that came with the turn's end; it takes a few milliseconds off the loop."""
MOST_SCRIPTS = 64


class Embedding(Protocol):
    """Sentence embeddings, off the event loop."""

    async def embed(self, text: str) -> Vector:
        """`[384]`, length 1."""


class OpenerVectors:
    """A process's: the examples of each script, embedded once, in the background."""

    def __init__(self, embedding: Embedding) -> None:
        self._embedding = embedding
        self._examples: dict[str, dict[str, Vector]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def want(self, script: Script) -> None:
        """Begin, if it was not begun. A script without openers has nothing to be embedded for."""
        key = script.content_hash
        if key in self._examples or key in self._tasks or not openers_in(script):
            return
        if len(self._examples) < MOST_SCRIPTS:
            self._tasks[key] = asyncio.create_task(self._embed(script), name="opener examples")

    def examples(self, script: Script) -> Mapping[str, Vector]:
        """By text; empty until all of them are there."""
        return self._examples.get(script.content_hash, {})

    async def embed(self, words: str) -> Vector:
        """See `Embedding`."""
        return await self._embedding.embed(words)

    def close(self) -> None:
        """Stop embedding. Idempotent."""
        for task in self._tasks.values():
            task.cancel()

    async def _embed(self, script: Script) -> None:
        try:
            self._examples[script.content_hash] = {
                text: await self._embedding.embed(plain_words(text))
                for text in _examples_of(script)
            }
        except Exception as error:  # noqa: BLE001 - a task's top: without vectors no opener is said, and calls go on
            log.warning("openers_off", script=script.script_id, error=type(error).__name__)


class Openers:
    """One call's. `vectors` None: openers are off, and every answer is None."""

    def __init__(self, script: Script, vectors: OpenerVectors | None, audio: LineAudio) -> None:
        self._script = script
        self._vectors = vectors if openers_in(script) else None
        self._audio = audio
        self._said = OpenersSaid()
        self._wanted = self._known_for = ""
        self._known: Vector | None = None
        self._task: asyncio.Task[None] | None = None
        if self._vectors is not None:
            self._vectors.want(script)

    def want(self, words: str) -> None:
        """The caller's words so far, with every interim. Cheap to repeat; never waits, never raises."""
        words = plain_words(words)
        if self._vectors is None or not words or words == self._wanted:
            return
        self._wanted = words
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._embed(self._vectors), name="opener words")

    async def settled(self, words: str) -> None:
        """Wait at most WAIT_S until `choose` knows these words. Needed only where they may have come this moment."""
        self.want(words)
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=WAIT_S)

    def choose(self, words: str, state: ScriptState) -> Opener | None:
        """First words for the reply to these, whose audio is there; None in doubt. No side effect; tell with `said`."""
        if self._vectors is None or self._known is None or self._known_for != plain_words(words):
            return None
        examples = self._vectors.examples(self._script)
        if not examples:
            return None
        lines = fitting_openers(self._script, state, words, self._known, examples)
        line = self._said.choice(lines, lambda text: self._audio.ready(text) is not None)
        audio = self._audio.ready(line.text) if line is not None else None
        if line is None or audio is None:
            return None
        return Opener(text=line.text, line_id=line.line_id, audio=audio)

    def said(self, opener: Opener | None) -> None:
        """Once for each reply to the caller that is let out: what it began with. Never for one that was dropped."""
        self._said = self._said.then(opener.text if opener is not None else "")

    def close(self) -> None:
        """Stop. Idempotent."""
        if self._task is not None:
            self._task.cancel()

    async def _embed(self, vectors: OpenerVectors) -> None:
        while self._known_for != self._wanted:
            words = self._wanted
            try:
                known = await vectors.embed(words)
            except Exception as error:  # noqa: BLE001 - a task's top; without a vector no opener is said
                log.warning("words_not_embedded", error=type(error).__name__)
                return
            self._known, self._known_for = known, words


def _examples_of(script: Script) -> list[str]:
    used = {name for stage in script.stages.values() for name in stage.objections}
    moves = [move for stage in script.stages.values() for move in stage.moves]
    moves += global_moves(script.agent_name, script.company)
    moves += [stop_recording_move()] if script.records else []
    texts = [text for move in moves for text in move.examples]
    texts += [text for name in used for text in script.objections[name].examples]
    return list(dict.fromkeys(texts))
