"""PURE. What a question of a written dialogue asks for: the part that a stage's script plays in a call."""

from __future__ import annotations

import re

from media_gateway.ears.ports import Expectation

_RULES = (
    (Expectation.NUMBER, r"phone|number|\bzip\b|how (?:many|much|old|long)|price|budget|amount"),
    (Expectation.SPELLED, r"e-?mail|your (?:full |last |first )?name|spell"),
    (Expectation.DATE_TIME, r"what time|which time|\bwhen\b|what day|which day|\bdate\b"),
)
_ORDERS = (
    "please",
    "tell",
    "confirm",
    "what",
    "which",
    "how",
    "when",
    "do you",
    "would you",
    "let me know",
    "give",
)
_CHOICE = re.compile(r"\bor\b")
_YES_NO = re.compile(
    r"^(?:(?:so|ok|okay|great|and|alright|sure|sorry|please)\b[ ,.!]*)*"
    r"(?:is|are|was|do|does|did|would|will|can|could|shall|should|have|has|may|confirm|please confirm)\b"
)
_CONFIRM = re.compile(
    r"confirm|correct\W*$|right\W*$|is that (?:ok|fine|right)|look(?:s)? (?:good|right)"
)


def expectation_of(question: str) -> Expectation:
    """From the last sentence of what was asked."""
    sentences = [s.strip() for s in re.split(r"(?<=[.?!])\s+", question.lower()) if s.strip()]
    if not sentences:
        return Expectation.FREE
    asked = next((s for s in reversed(sentences) if s.endswith("?")), "")
    if not asked and not (asked := sentences[-1]).startswith(_ORDERS):
        return Expectation.FREE
    if _CONFIRM.search(asked):
        return Expectation.YES_NO
    is_yes_no = _YES_NO.match(asked) is not None
    for kind, pattern in _RULES:
        if re.search(pattern, asked) and not (
            is_yes_no and not re.search(r"tell|know|have your", asked)
        ):
            return kind
    if _CHOICE.search(asked):
        return Expectation.CHOICE
    return Expectation.YES_NO if is_yes_no else Expectation.FREE
