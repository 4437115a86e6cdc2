"""PURE. Sounds and words over a reply: whose they are, whether they may stop it, and when they were nothing."""

from __future__ import annotations

from collections import deque

from media_gateway.turns.backchannels import OverAgent, is_greeting, is_urgent, judge
from media_gateway.turns.caller import Caller
from media_gateway.turns.types import AgentWords, Floor, Ms, ReplyPaused, TurnPolicy
from media_gateway.turns.words import normalised

_SEGMENTS = 12
"""Of the agent's words, the newest: an echo is late by a second at most, and the reply before may still ring."""


class Overlap:
    """The present reply, as far as the caller speaks over it."""

    def __init__(self, policy: TurnPolicy) -> None:
        self._policy = policy
        self._said: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=_SEGMENTS)
        """Reply and words."""
        self._were_nothing = 0
        self._reply_began = Ms(0)
        self._reply_over = Ms(0)
        self._began = Ms(0)
        self._noted_at: Ms | None = None
        """When words that only say "go on" were said."""
        self.origin = Floor.AGENT
        """The floor that goes on if it was nothing."""
        self._is_first_line = False
        """On picking up people say "hello?" into the first line, which is the answer to it."""
        self._is_near_end = False
        """All but the last moment of the reply was heard when it was last held: a "yes" is the answer."""

    # --- the reply ---------------------------------------------------------------------------

    def reply_begins(self, now: Ms, *, is_first_line: bool = False) -> None:
        """Another reply: nobody spoke over it yet."""
        self._is_first_line = is_first_line
        self._reply_began = now
        self._were_nothing = 0
        self._is_near_end = False
        self._noted_at = None

    def agent_says(self, words: AgentWords) -> None:
        """What may come back as an echo."""
        self._said.append((words.reply_id, normalised(words.text)))

    def agent_never_said(self, reply_id: int) -> None:
        """A reply was dropped before it was heard."""
        kept = [said for said in self._said if said[0] != reply_id]
        self._said = deque(kept, maxlen=_SEGMENTS)

    def reply_is_over(self, now: Ms) -> None:
        """Nothing more of it is heard."""
        self._reply_over = now

    # --- a sound over it ---------------------------------------------------------------------

    @property
    def may_pause(self) -> bool:
        """Whether a sound alone still holds the reply."""
        return self._were_nothing < self._policy.most_pauses

    def begin(self, origin: Floor, now: Ms) -> None:
        """The reply is held."""
        self.origin, self._began = origin, now

    def paused(self, event: ReplyPaused) -> bool:
        """What is unheard of the reply; returns whether that is nothing at all."""
        if self.origin is not Floor.AGENT:
            return False
        self._is_near_end = event.is_whole and event.unheard_ms <= self._policy.answered_ahead_ms
        return event.is_whole and event.unheard_ms == 0

    def was_nothing(self) -> None:
        """The reply goes on."""
        self._were_nothing += 1

    def nothing_at(self, caller: Caller) -> Ms:
        """When it was nothing, if no word comes."""
        longest = self._began + self._policy.longest_overlap_ms
        if caller.is_speaking and not caller.is_faint:
            return Ms(longest)
        last = max(self._began, caller.last_sound or 0)
        return Ms(min(longest, last + self._policy.overlap_wait_ms))

    # --- words over it -----------------------------------------------------------------------

    def verdict(self, caller: Caller) -> OverAgent:
        """What the caller's unanswered words are."""
        if self._is_first_line and caller.words and is_greeting(caller.words):
            return OverAgent.BACKCHANNEL
        is_faint = self._is_faint(caller)
        said = tuple(word for _, words in self._said for word in words)
        if self._is_near_end and not is_faint:
            said = ()  # "Friday at two" is the answer to "Thursday at ten or Friday at two?"
        return judge(caller.words, agent_words=said, is_faint=is_faint)

    def is_yielded_to(self, caller: Caller) -> bool:
        """Whether his words take the floor, from a reply that may be interrupted."""
        verdict = self.verdict(caller)
        if verdict is OverAgent.BACKCHANNEL:
            return self._is_near_end
        if verdict is OverAgent.REAL:
            return not self._is_faint(caller) or is_urgent(caller.words)
        return False

    def _is_faint(self, caller: Caller) -> bool:
        return caller.is_faint and self.has_sound(caller)

    def note(self, caller: Caller, now: Ms) -> None:
        """Remember since when there are words that want no answer if the reply goes on for long after them."""
        if self._noted_at is None and self.verdict(caller) is OverAgent.BACKCHANNEL:
            self._noted_at = self._sound_over(caller) or now

    def has_sound(self, caller: Caller) -> bool:
        """Whether the ear heard anything over the reply."""
        return caller.is_speaking or self._sound_over(caller) is not None

    def _sound_over(self, caller: Caller) -> Ms | None:
        """When the last sound over the reply ended; None while one goes on, and when the ear heard none."""
        last = caller.last_sound
        return None if caller.is_speaking or last is None or last < self._reply_began else last

    def are_idle_words(self, caller: Caller, now: Ms) -> bool:
        """Whether the words so far are an echo, or said "go on" so long ago that they answer nothing."""
        verdict = self.verdict(caller)
        if verdict is OverAgent.ECHO:
            return True
        if verdict is not OverAgent.BACKCHANNEL:
            return False
        noted_at = self._noted_at if self._noted_at is not None else now
        return now - noted_at > self._policy.answered_ahead_ms

    def are_late_words(self, caller: Caller, now: Ms) -> bool:
        """Whether words that come in silence belong to a reply that is over: a slow recogniser's "uh-huh", or an echo."""
        if now - self._reply_over > self._policy.words_wait_ms:
            return False
        verdict = self.verdict(caller)
        last = self._sound_over(caller)
        if verdict is OverAgent.ECHO:
            return last is None or last <= self._reply_over
        return (
            verdict is OverAgent.BACKCHANNEL
            and last is not None
            and last < self._reply_over - self._policy.answered_ahead_ms
            and not self._is_near_end
        )

    def forget_words(self) -> None:
        """The words so far were dismissed or answered."""
        self._noted_at = None
