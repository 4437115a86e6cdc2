"""PURE. What words over the agent mean: go on, the agent's own echo, or somebody who wants to speak."""

from __future__ import annotations

from enum import Enum

from media_gateway.turns.words import normalised

_GO_ON = frozenset(
    tuple(phrase.split())
    for phrase in (
        "uhhuh|mhm|mm|mmm|hm|hmm|ah|aha|oh|wow|yes|yeah|yep|yup|yah|ya|okay|right|sure|great|good|nice|cool|"
        "perfect|exactly|absolutely|definitely|gotcha|true|interesting|fine|all right|i see|got it|of course|"
        "makes sense|that makes sense|fair enough|go on|go ahead|sounds good|that is right|thats right|"
        "very good|very nice"
    ).split("|")
)
"""Said to keep a speaker speaking. Whatever is not here wants to be answered: "stop", "no", "wait", "hello", "what"."""
_LONGEST = max(len(phrase) for phrase in _GO_ON)
_MOST_PHRASES = 4
"""A longer row of them is impatience."""
_URGENT = frozenset(
    "stop no nope wait hold dont not never remove quit cancel enough unsubscribe uhuh bye goodbye".split()
)
"""Words that may be an opt-out, or ask for silence: part of no backchannel, and heard at any level."""
_GREETINGS = frozenset("hello hi hey good morning afternoon evening yes yeah there".split())
ECHO_WORDS = 4
"""In a row, of the agent's own: fewer are what a caller repeats of an offer ("friday at two")."""
FAINT_ECHO_WORDS = 2
"""The same where the sound itself was too faint for the caller."""


class OverAgent(Enum):
    """What the words over the agent are."""

    NOTHING = "nothing"
    """No word, or a hesitation."""
    BACKCHANNEL = "backchannel"
    ECHO = "echo"
    REAL = "real"


def judge(words: str, *, agent_words: tuple[str, ...], is_faint: bool = False) -> OverAgent:
    """Judge everything that was recognised over one stretch of the agent's speech.

    `agent_words` are those that may come back as an echo, normalised; `is_faint`: no sound at the caller's own level was
    heard with the words.
    """
    said = normalised(words)
    if not said:
        return OverAgent.NOTHING
    if _is_echo(said, agent_words, is_faint):
        return OverAgent.ECHO
    return OverAgent.BACKCHANNEL if _says_go_on(said) else OverAgent.REAL


def urgent_in(words: str) -> frozenset[str]:
    """Those among them that stop the agent however softly they were said."""
    return _URGENT.intersection(normalised(words))


def is_urgent(words: str) -> bool:
    """Whether there is one among them."""
    return bool(urgent_in(words))


def is_greeting(words: str) -> bool:
    """Whether they are a greeting and nothing else: said on picking up, while the agent begins."""
    return _GREETINGS.issuperset(normalised(words))


def _says_go_on(said: tuple[str, ...]) -> bool:
    phrases, rest = 0, said
    while rest:
        size = next((n for n in range(_LONGEST, 0, -1) if rest[:n] in _GO_ON), 0)
        if not size:
            return False
        phrases, rest = phrases + 1, rest[size:]
    return phrases <= _MOST_PHRASES


def _is_echo(said: tuple[str, ...], agent: tuple[str, ...], is_faint: bool) -> bool:
    size = len(said)
    if size < (FAINT_ECHO_WORDS if is_faint else ECHO_WORDS):
        return False
    if size < ECHO_WORDS and not _URGENT.isdisjoint(said):
        return False
    return any(agent[i : i + size] == said for i in range(len(agent) - size + 1))
