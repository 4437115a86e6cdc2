"""Keeps what happened in a call on one stream (its numbers, its state, what was heard), and tells the workflow of it."""

from __future__ import annotations

import structlog

from media_gateway.agent_turn import AgentTurn
from media_gateway.ports import Exchange, Passage, ReplyRequest, WorkflowLink
from media_gateway.turns.playout import Heard
from workflows.contracts.payloads import (
    AfterStream,
    Attached,
    Directive,
    DirectiveDone,
    MediaLost,
    NextStep,
    TurnCompleted,
    TurnHeard,
    TurnKind,
)
from workflows.script.effects import Effect
from workflows.script.events import DtmfPressed, ReplyHeard, ScriptEvent
from workflows.script.machine import advance
from workflows.script.model import Script
from workflows.script.state import ScriptState, digest
from workflows.script.turn_events import heard_event

log = structlog.get_logger(__name__)

HISTORY_TURNS = 8
"""Past turns that the model sees."""


class CallRecord:
    """What is true of the call. Only what was heard, or is a fact anyway, gets in; telling waits for nobody."""

    def __init__(
        self, link: WorkflowLink, call_id: str, stream_sid: str, attached: Attached, script: Script
    ) -> None:
        self._link = link
        self._call_id = call_id
        self._stream_sid = stream_sid
        self._attached = attached
        self.script = script
        self.state = attached.state
        self._seq = attached.next_seq
        self._history = [
            Exchange(caller_words=turn.caller_words, agent_words=turn.agent_words)
            for turn in attached.history
        ]
        self._heard: TurnHeard | None = None
        """Of the last turn that is over; the next message takes it along."""

    @property
    def epoch(self) -> int:
        """Of the stream."""
        return self._attached.epoch

    @property
    def turns(self) -> int:
        """Told on this stream."""
        return self._seq - self._attached.next_seq

    @property
    def is_over(self) -> bool:
        """The script has come to its end."""
        return self.state.outcome is not None

    @property
    def ending(self) -> AfterStream | None:
        """What has to follow the stream because the script is over; None while it is not."""
        if not self.is_over:
            return None
        if self.state.transfer_to:
            return AfterStream(step=NextStep.DIAL, number=self.state.transfer_to)
        return AfterStream(step=NextStep.HANG_UP)

    def request(self, caller_words: str = "", passages: tuple[Passage, ...] = ()) -> ReplyRequest:
        """What the model would be asked now."""
        return ReplyRequest(
            script=self.script,
            state=self.state,
            caller_words=caller_words,
            history=tuple(self._history[-HISTORY_TURNS:]),
            passages=passages,
            facts=self._attached.facts,
        )

    def decide(self, event: ScriptEvent) -> tuple[ScriptState, tuple[Effect, ...]]:
        """What the script makes of an event as things stand. Without effect: `begun` makes it true."""
        return advance(self.script, self.state, event)

    # --- what happened -----------------------------------------------------------------------

    def begun(self, turn: AgentTurn) -> bool:
        """The turn's answer begins to be heard: what the script decided counts. True when that is new."""
        if turn.is_told or turn.is_ahead or turn.decided is None:
            return False
        turn.is_told = True
        self.state = turn.decided
        self._tell(turn.begun(epoch=self.epoch, seq=self._seq, before=self._heard))
        return True

    def over(self, turn: AgentTurn, heard: Heard, *, interrupted: bool) -> None:
        """A turn that was told is over: what was heard of it becomes history."""
        if not turn.is_told:
            return
        event = ReplyHeard(
            heard_words=heard.words, lines_heard=heard.lines, interrupted=interrupted
        )
        self.state, _ = self.decide(event)
        self._history.append(Exchange(caller_words=turn.caller_words, agent_words=heard.words))
        self._heard = turn.over(
            heard_words=heard.words, lines_heard=heard.lines, interrupted=interrupted
        )

    def key_pressed(self, digit: str) -> None:
        """A key over the last words: a turn of its own, beside the one that plays on."""
        self.state, _ = self.decide(DtmfPressed(digit=digit))
        self._tell(
            TurnCompleted(
                epoch=self.epoch,
                seq=self._seq,
                kind=TurnKind.DTMF,
                before=self._heard,
                digit=digit,
                stage=self.state.stage,
                state_digest=digest(self.state),
            )
        )

    def unanswered(self, words: str) -> None:
        """Words that the caller said before the line went: kept, though nothing answered them."""
        if not words:
            return
        self._tell(
            TurnCompleted(
                epoch=self.epoch,
                seq=self._seq,
                kind=TurnKind.HANG_UP,
                before=self._heard,
                caller_words=words,
                stage=self.state.stage,
                state_digest=digest(self.state),
            )
        )

    def media_lost(self, *, clean: bool) -> None:
        """The stream is over."""
        lost = MediaLost(
            epoch=self.epoch, stream_sid=self._stream_sid, clean=clean, heard=self._heard
        )
        self._link.media_lost(self._call_id, lost)

    def correct(self, directive: Directive, *, is_deciding: bool) -> DirectiveDone:
        """Take the workflow's state, unless a turn has been told since: its answer to that one is on its way."""
        if directive.state is None or is_deciding or directive.after_seq != self._seq - 1:
            return DirectiveDone(accepted=False, reason="a newer turn is under way")
        log.warning("state_corrected", stage=directive.state.stage, had=self.state.stage)
        self.state = directive.state
        if self._heard is not None:
            self.state, _ = self.decide(heard_event(self._heard))
        return DirectiveDone(accepted=True)

    def _tell(self, turn: TurnCompleted) -> None:
        self._link.turn_completed(self._call_id, turn)
        self._heard = None
        self._seq += 1
