"""PURE. A call's media streams: which may attach, which one has the call, and what follows when one is over.

A stream is known by the nonce of its one-time token. The carrier may ask twice what follows one, and late: the same
question gets the same answer, and the end of an older stream says nothing of the present one.
"""

from __future__ import annotations

from datetime import datetime

from workflows.contracts.payloads import AfterStream, NextStep

APOLOGY = "We are sorry, the line is not good. We will call you another time. Goodbye."
UNATTACHED_WITHIN_S = 60
"""Streams that no gateway takes are tried for so long after the last one that was carried."""
QUICK_TRIES = 4
"""Of those, one right after the other: the caller hears nothing meanwhile, and the next gateway may take it."""
RETRY_PAUSE_S = 2
"""Between the later ones: a gateway that is about to stop has not left the balancer yet, or there is none."""


class MediaStreams:
    """The streams of one call, from the first `expect` to the last end."""

    def __init__(self, *, most_resumes: int, now: datetime) -> None:
        self._most_resumes = most_resumes
        self._epochs: dict[str, int] = {}
        """By nonce; 0 while it only knocked."""
        self._answers: dict[str, AfterStream] = {}
        self._last_epoch = 0
        self._last_attached_at = now
        self.gateway_id = ""
        """Who carries the audio, or did last."""
        self.is_open = False
        """The present stream's gateway has not told of its end, nor the carrier."""
        self.count = 0
        """Streams that were attached."""
        self.resumes = 0
        self._refused = 0
        """Streams in a row that no gateway took."""
        self.has_given_up = False
        """The caller hears, or heard, an apology."""

    def is_known(self, nonce: str) -> bool:
        """A token that was shown before, or whose stream is over."""
        return nonce in self._epochs or nonce in self._answers

    def is_over(self, nonce: str) -> bool:
        """The carrier has asked what follows this stream: nobody can attach to it any more."""
        return nonce in self._answers

    def knock(self, nonce: str) -> None:
        """A stream wants the call; from now on its token is used up."""
        self._epochs[nonce] = 0

    def attach(self, nonce: str, epoch: int, gateway_id: str, now: datetime) -> None:
        """The stream has the call."""
        self._epochs[nonce] = self._last_epoch = epoch
        self._last_attached_at = now
        self.gateway_id = gateway_id
        self.is_open = True
        self.count += 1
        self._refused = 0

    def answer_to(self, nonce: str) -> AfterStream | None:
        """What is known without looking at the call: a repeated question, or one about an older stream."""
        if nonce and (answer := self._answers.get(nonce)) is not None:
            return answer
        if 0 < self._epochs.get(nonce, 0) < self._last_epoch:
            return AfterStream(step=NextStep.RECONNECT)
        return None

    def remember(self, nonce: str, answer: AfterStream) -> None:
        """So that it is the same next time."""
        if nonce:
            self._answers[nonce] = answer

    def go_on(self, nonce: str, now: datetime) -> AfterStream:
        """What follows a stream in the middle of a call: another one, as long as that makes sense."""
        if nonce and not self._epochs.get(nonce):
            # No gateway took it: one that is about to stop, or none at all. The next try may find another.
            if (now - self._last_attached_at).total_seconds() > UNATTACHED_WITHIN_S:
                return self._give_up()
            self._refused += 1
            pause_s = RETRY_PAUSE_S if self._refused > QUICK_TRIES else 0
            return AfterStream(step=NextStep.RECONNECT, pause_s=pause_s)
        self.resumes += 1
        if self.resumes > self._most_resumes:
            return self._give_up()
        return AfterStream(step=NextStep.RECONNECT)

    def _give_up(self) -> AfterStream:
        self.has_given_up = True
        return AfterStream(step=NextStep.APOLOGISE, text=APOLOGY)
