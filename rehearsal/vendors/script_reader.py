"""Plays the model: picks a move by how near the caller's words are to the moves' examples, fills slots, says a sentence.

It sees what a model sees, the prompt, and nothing else. No script, stage or line is known here by name.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

import numpy as np

from media_gateway.knowledge.embedding import Embedder
from rehearsal.vendors.prompt import OfferedMove, OfferedSlot, TurnPrompt, sections
from workflows.script.model import Slot, SlotType
from workflows.script.slots import parse_slot

NEAR_ENOUGH = 0.42
"""Cosine similarity at which an example speaks for its move."""
CONTINUE, ANSWER = "ok", "answer"
"""Tags of the moves that fit where no other does."""
_QUESTION = re.compile(
    r"\?|\b(how (long|much|many|does|do|is|are)|what('s| is| are| about| if)"
    r"|do you|can you|could you|is there|are there|why|which)\b",
    re.I,
)
_NEEDS_SLOT = re.compile(r"\(slot (\w+)(?: is (\w+))?\)")
_ANSWER_WITH = re.compile(r"Answer with: (.*)$")
_ACKNOWLEDGEMENTS = ("Alright.", "Got it.", "Okay, thanks.")


class ScriptReader:
    """Blocking and quick; use a thread."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._turns = 0

    def take_turn(self, prompt: TurnPrompt) -> dict[str, object]:
        """The answer to a turn's prompt: slots, then the words under the move's tag."""
        move, near = self._nearest(prompt)
        slots = self._slots(prompt, move)
        if move is None or near < NEAR_ENOUGH or not _has_its_slot(prompt, move, slots):
            asks = _QUESTION.search(prompt.caller_words) and not slots
            tag = ANSWER if asks else CONTINUE
            move = next((offered for offered in prompt.moves if offered.tag == tag), move)
        tag = move.tag if move else CONTINUE
        return {**({"s": slots} if slots else {}), tag: self._words(prompt, move)}

    def read_call(self, system: str, user: str) -> dict[str, object]:
        """The answer to a report's prompt."""
        transcript = sections(user).get("Transcript", user)
        known = [
            line.strip().removeprefix("- ")
            for line in sections(system).get("Known for certain", "").splitlines()
            if line.strip().startswith("- ")
        ]
        facts = dict(fact.split(": ", 1) for fact in known if ": " in fact)
        outcome = facts.pop("outcome", "")
        said = re.findall(r"^caller: (.*)$", transcript, re.M)
        objections = [words for words in said if self._objects(words)]
        told = ", ".join(f"{name} {value}" for name, value in facts.items())
        return {
            "outcome": outcome,
            "summary": f"The call ended with {outcome.replace('_', ' ')} after {len(said)} turns of the caller."
            + (f" The caller gave: {told}." if told else ""),
            "objections": objections,
            "next_step": "Prepare the agreed visit." if outcome == "appointment" else "None.",
            "slots": [{"name": name, "value": value} for name, value in facts.items()],
        }

    def _nearest(self, prompt: TurnPrompt) -> tuple[OfferedMove | None, float]:
        words = self._embedder.embed_many([prompt.caller_words])[0]
        best: tuple[OfferedMove | None, float] = (None, 0.0)
        asks = bool(_QUESTION.search(prompt.caller_words))
        for move in prompt.moves:
            if not move.examples:
                continue
            near = float(np.max(self._embedder.embed_many(list(move.examples)) @ words))
            # A question is a move's own only when it is nearly one of its examples.
            if (
                asks
                and near < 0.7
                and not any("?" in e or _QUESTION.search(e) for e in move.examples)
            ):
                near *= 0.6
            if near > best[1]:
                best = move, near
        return best

    def _objects(self, words: str) -> bool:
        about = self._embedder.embed_many([words])[0]
        examples = ["it is too expensive", "I am not interested", "I have to ask my partner first"]
        return float(np.max(self._embedder.embed_many(examples) @ about)) > 0.5

    def _slots(self, prompt: TurnPrompt, move: OfferedMove | None) -> dict[str, str]:
        found: dict[str, str] = {}
        for slot in prompt.slots:
            value = _value(slot, prompt.caller_words, prompt.today)
            if value is not None and not slot.known:
                found[slot.name] = value
        needs = _NEEDS_SLOT.search(move.description) if move else None
        if needs and needs[2]:
            # The move itself says what the caller's words mean for its slot.
            found.setdefault(needs[1], needs[2])
        return found

    def _words(self, prompt: TurnPrompt, move: OfferedMove | None) -> str:
        self._turns += 1
        if move is not None and (guidance := _ANSWER_WITH.search(move.description)):
            return guidance[1] if prompt.already_said else f"I understand. {guidance[1]}"
        if move is not None and move.tag == ANSWER:
            return self._answer(prompt)
        if prompt.already_said:
            return ""
        return _ACKNOWLEDGEMENTS[self._turns % len(_ACKNOWLEDGEMENTS)]

    def _answer(self, prompt: TurnPrompt) -> str:
        """The sentence of the passages that is nearest to the question."""
        sentences = [
            sentence.strip()
            for passage in prompt.passages
            for sentence in re.findall(r"[^.!?]+[.!?]", passage.partition(": ")[2] or passage)
        ]
        if not sentences:
            return "That is a good question for our consultant."
        question = self._embedder.embed_many([prompt.caller_words])[0]
        nearest: str = sentences[int(np.argmax(self._embedder.embed_many(sentences) @ question))]
        return nearest


def _has_its_slot(prompt: TurnPrompt, move: OfferedMove, slots: dict[str, str]) -> bool:
    needs = _NEEDS_SLOT.search(move.description)
    if needs is None:
        return True
    known = {slot.name for slot in prompt.slots if slot.known}
    return needs[1] in slots or needs[1] in known


def _value(slot: OfferedSlot, words: str, today: str) -> str | None:
    """The slot's value in the caller's words, if it is in them."""
    kind = SlotType(slot.type)
    match kind:
        case SlotType.CHOICE:
            return _choice(slot.choices, words)
        case SlotType.TEXT | SlotType.NAME:
            return None  # cannot be told from other words
        case SlotType.INTEGER | SlotType.MONEY if not re.search(
            r"\d|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty|hundred)\b",
            words,
            re.I,
        ):
            return None
        case _:
            pass
    try:
        typed = parse_slot(
            Slot(name=slot.name, type=kind, description="", ask="", choices=slot.choices),
            words,
            today,
        )
    except ValueError:
        return None
    return ("yes" if typed else "no") if isinstance(typed, bool) else str(typed)


def _choice(choices: tuple[str, ...], words: str) -> str | None:
    """The choice that a word of the caller's sounds most like."""
    heard = re.findall(r"[a-z]+", words.lower())
    best, found = 0.8, None
    for choice in choices:
        for wanted in re.findall(r"[a-z]+", choice.lower()):
            for word in heard:
                near = SequenceMatcher(None, wanted, word).ratio()
                if near > best:
                    best, found = near, choice
    return found
