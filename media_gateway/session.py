"""One call's driver: feeds the turn machine, carries out its commands, keeps the one timer. Decides nothing itself.

Data's way: frames → ear and recogniser → `TurnMachine` → commands → `Replying` (the model's move, the script's decision)
→ `Speaker` (voice, `Playout`, the wire); marks come back into `Playout`, whose ledger says what was heard; `CallRecord`
keeps what came of it and tells the workflow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import assert_never

import structlog

from media_gateway.agent_turn import AgentTurn
from media_gateway.call_record import CallRecord
from media_gateway.call_tasks import CallTasks, let_go
from media_gateway.command_runner import CommandRunner
from media_gateway.ear_briefing import EarBriefing
from media_gateway.ears.ports import EarEvent, EndEstimate
from media_gateway.listening import Listening
from media_gateway.metrics.ports import TurnSeen
from media_gateway.opener_prefetch import Openers
from media_gateway.parts import GatewayParts
from media_gateway.prefetch import Prefetch
from media_gateway.replying import Replying
from media_gateway.routing.ahead import RouteAhead
from media_gateway.speaker import Speaker, silence
from media_gateway.speech.ports import Transcript, VoiceChange
from media_gateway.stream_clock import StreamClock
from media_gateway.turn_totals import TurnTotals
from media_gateway.turns.machine import TurnMachine
from media_gateway.turns.playout import Playout
from media_gateway.turns.types import (
    AgentTurnOpened,
    Command,
    DtmfHeard,
    EndOfTurnEstimated,
    Event,
    FinalWords,
    HandOverDue,
    InterimWords,
    LineLost,
    Ms,
    OrderCame,
    RecogniserLost,
    ReplyFailed,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
    VendorEagerEnd,
    VendorEndOfTurn,
)
from media_gateway.twilio.messages import (
    Connected,
    Dtmf,
    Inbound,
    MarkEchoed,
    MediaFrame,
    Start,
    Stop,
)
from media_gateway.wire import Wire
from workflows.contracts.payloads import AfterStream, Attached, Directive, DirectiveDone, TurnKind
from workflows.script.events import (
    CallAnswered,
    CallResumed,
)
from workflows.script.machine import means_something
from workflows.script.model import Outcome, Script

log = structlog.get_logger(__name__)

LAST_SIGNAL_S = 2.0
"""After the last turn, for Temporal's acknowledgement before the socket closes."""


class CallSession:
    """One call on one media stream, from `attach` to the end of the stream."""

    def __init__(
        self,
        parts: GatewayParts,
        call_id: str,
        start: Start,
        attached: Attached,
        script: Script,
        send: Callable[[str], Awaitable[None]],
        *,
        started_s: float,
    ) -> None:
        """`started_s` is when the stream's `start` came, on the loop's clock: the zero of all stream times."""
        self._parts = parts
        self._call_id = call_id
        self._start = start
        self._attached = attached
        self._loop = asyncio.get_running_loop()
        self._clock = StreamClock(started_s)
        self._tasks = CallTasks(call_id)
        self._machine = TurnMachine(parts.policy)
        self._recorder = parts.recorder.open(call_id, attached.epoch, parts.policy)
        self._observer = parts.observers.open(
            call_id, epoch=attached.epoch, started_s=started_s, is_resumed=attached.resumed
        )
        self._record = CallRecord(parts.link, call_id, start.stream_sid, attached, script)
        self._playout = Playout(start.stream_sid)
        self._wire = Wire(send, self.line_lost)
        voice, lines = parts.mouth()
        self._speaker = Speaker(
            driver=self,
            record=self._record,
            voice=voice,
            lines=lines,
            playout=self._playout,
            wire=self._wire,
            clock=self._clock,
            tasks=self._tasks,
        )
        self._replying = Replying(
            record=self._record,
            speaker=self._speaker,
            dialogue=parts.dialogue,
            prefetch=Prefetch(parts.knowledge.get(script.script_id)),
            openers=Openers(script, parts.openers, lines),
            route=RouteAhead(parts.route),
            clock=self._clock,
            tasks=self._tasks,
        )
        self._listening = Listening(
            parts.recogniser,
            script.key_terms,
            self._transcribed,
            lambda: self.happened(RecogniserLost()),
        )
        self._over = asyncio.Event()
        self._commands = CommandRunner(
            machine=self._machine,
            record=self._record,
            speaker=self._speaker,
            replying=self._replying,
            listening=self._listening,
            clock=self._clock,
            tasks=self._tasks,
            ended=self._over.set,
        )
        self._ear = parts.ears.open(self._ear_found)
        self._briefing = EarBriefing(self._ear, script)
        self._words_are_final = True
        self._has_eager_end = False
        self._last_chunk = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_lost = False

    @property
    def call_id(self) -> str:
        """Of the call that is carried."""
        return self._call_id

    @property
    def ending(self) -> AfterStream | None:
        """What has to follow the stream because the script is over; None while it is not."""
        return self._record.ending

    @property
    def totals(self) -> TurnTotals:
        """What became of its turns so far."""
        return TurnTotals(counts=self._machine.counts, wasted_tokens=self._commands.wasted_tokens)

    # --- life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry the call until the script hangs up or the line is gone."""
        log.info("session_started", epoch=self._record.epoch, resumed=self._attached.resumed)
        self._tasks.spawn(self._wire.run(), "write")
        self._tasks.spawn(self._listening.run(), "listen")
        self._tasks.spawn(self._parts.dialogue.warm(), "warm")
        try:
            self._open()
            await self._over.wait()
        finally:
            await self._end()

    def _open(self) -> None:
        reply_id = self._machine.next_reply_id()
        self.happened(AgentTurnOpened(reply_id=reply_id, resumes=self._attached.resumed))
        if self._attached.resumed:
            self._replying.recite(self._commands.new_turn(reply_id, TurnKind.RESUME), CallResumed())
        else:
            opening = self._commands.new_turn(reply_id, TurnKind.OPENING)
            self._replying.recite(opening, CallAnswered(today=self._attached.today))

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._replying.close()
        turn = self._speaker.turn
        words = self._machine.caller_words
        if turn is not None:
            words = self._cut_at_the_end(turn, words)
        self._record.unanswered(words)
        # Told before anything is waited for: a vendor that hangs or fails takes no turn with it.
        self._record.media_lost(clean=not self._is_lost)
        self._ear.close()
        if turn is not None:
            await let_go(silence(turn))
        await self._tasks.cancel_all()
        await self._listening.close()
        await self._parts.link.flush(self._call_id, within_s=LAST_SIGNAL_S)
        self._recorder.close()
        self._observer.closed(turns=self._record.turns, is_lost=self._is_lost)
        if self._speaker.is_mute:
            self._parts.sessions.ended_mute(self._call_id)
        self._parts.sessions.totals.add(totals := self.totals)
        log.info(
            "session_ended",
            turns=self._record.turns,
            lost=self._is_lost,
            **totals.as_fields(),
        )

    def _cut_at_the_end(self, turn: AgentTurn, words: str) -> str:
        """Stop what is said or made. Returns what of the caller's words nothing has answered."""
        was_ahead = turn.is_ahead
        if turn.decided is not None and turn.decided.outcome is Outcome.OPTED_OUT:
            # Believed, whether he waited for the answer or not.
            turn.is_ahead = False
            self._speaker.tell(turn)
        elif was_ahead:
            self._commands.wasted_tokens += turn.trace.tokens_written
        self._speaker.cut(turn)
        if was_ahead:
            return "" if turn.is_told else words
        return words if turn.is_told else f"{turn.caller_words} {words}".strip()

    def line_lost(self) -> None:
        """The socket is closed: the caller hung up, or the carrier broke off."""
        if not self._over.is_set():
            self._is_lost = True
            self.happened(LineLost())
            self._over.set()

    def hand_over(self) -> None:
        """Give the call away at the next turn's boundary: this gateway is to stop."""
        if not self._over.is_set():
            self.happened(HandOverDue())

    def break_off(self) -> None:
        """Give the call away now, in the middle of whatever it is in."""
        if not self._over.is_set():
            self.happened(
                LineLost()
            )  # nothing that still comes in is answered, or told behind the end
            self._over.set()

    def direct(self, directive: Directive) -> DirectiveDone:
        """Carry out what the workflow wants. Never raises."""
        if self._over.is_set() or directive.epoch != self._record.epoch:
            return DirectiveDone(accepted=False, reason="the stream is not this one", is_here=False)
        if directive.order is None:
            return self._correct(directive)
        if self._record.is_over or self._hears_opt_out:
            return DirectiveDone(accepted=False, reason="the script is over")
        self._commands.order = directive
        self.happened(OrderCame())
        return DirectiveDone(accepted=True)

    @property
    def _hears_opt_out(self) -> bool:
        """The caller wants no more calls, and the answer to that is about to be heard: no order unsays it."""
        turn = self._speaker.turn
        decided = turn.decided if turn is not None else None
        return decided is not None and decided.outcome is Outcome.OPTED_OUT

    def _correct(self, directive: Directive) -> DirectiveDone:
        turn = self._speaker.turn
        is_deciding = turn is not None and not turn.is_told and not turn.is_ahead
        done = self._record.correct(directive, is_deciding=is_deciding)
        if done.accepted and turn is not None and turn.is_ahead:
            self.failed_ahead(turn)  # it was decided on a state that is no more
        if done.accepted and self._record.is_over:
            self.happened(ScriptEnded())
        return done

    # --- what comes in -----------------------------------------------------------------------

    def receive(self, message: Inbound) -> None:
        """Take one message of the media stream. Never blocks."""
        match message:
            case Start() | Connected():
                log.warning("message_dropped", reason="a second start or connected")
            case _ if message.stream_sid not in ("", self._start.stream_sid):
                log.warning("message_dropped", reason="of another stream")
            case MediaFrame():
                if message.chunk > self._last_chunk:
                    self._last_chunk = message.chunk
                    self._listening.hear(message.mulaw)
                    self._ear.hear(message.mulaw, message.timestamp_ms)
                else:
                    log.warning("message_dropped", reason="out of order", chunk=message.chunk)
            case MarkEchoed():
                self._speaker.mark_echoed(message.name)
            case Dtmf():
                if means_something(message.digit):
                    self.happened(DtmfHeard(digit=message.digit))
                else:
                    log.info("key_without_meaning")
            case Stop():
                self.happened(LineLost())
                self._over.set()
            case _:
                assert_never(message)

    def _ear_found(self, event: EarEvent) -> None:
        match event:
            case VoiceChange(speaking=True):
                self.happened(SpeechStarted(at=self._when(event), is_faint=event.is_faint))
            case VoiceChange():
                self.happened(SpeechStopped(at=self._when(event)))
            case EndEstimate():
                self.happened(EndOfTurnEstimated(p=event.p))
            case _:
                assert_never(event)

    def _when(self, change: VoiceChange) -> Ms:
        """By our clock where it is known: behind a stream's slower one every pause would seem long over."""
        at_ms = self._clock.of(change.at_s)
        return Ms(max(0, change.at_ms if at_ms is None else at_ms))

    def _transcribed(self, transcript: Transcript) -> None:
        if transcript.is_final or transcript.text:
            # An end of turn, or the silence after a span, says nothing of the words before it.
            self._words_are_final = transcript.is_final
        if transcript.is_final:
            self._commands.words_final_at = self._clock.now()
            self.happened(FinalWords(text=transcript.text))
        elif transcript.text:
            self.happened(InterimWords(text=transcript.text))
        if transcript.end_of_turn:
            self._has_eager_end = False
            self.happened(VendorEndOfTurn())
        elif not transcript.is_final and transcript.eager_end_of_turn is not self._has_eager_end:
            self._has_eager_end = transcript.eager_end_of_turn
            self.happened(VendorEagerEnd(is_taken_back=not self._has_eager_end))
        self._replying.heard(self._machine.caller_words)

    # --- the clock and the machine: the only two doors to it -----------------------------------

    def happened(self, event: Event) -> None:
        """Show the machine what happened and carry out what it answers."""
        now = self._clock.now()
        self._recorder.took(event, now)
        self._carry_out(self._machine.receive(event, now))

    def _tick(self) -> None:
        self._timer = None
        now = self._clock.now()
        deadline = self._machine.deadline
        if deadline is not None and deadline <= now + 1:
            now = self._clock.reach(deadline)
            self._recorder.timer(now)
            self._carry_out(self._machine.on_timer(now))
        self._speaker.tick()

    def _carry_out(self, commands: list[Command]) -> None:
        self._recorder.commands(commands)
        for command in commands:
            self._observer.commanded(name := type(command).__name__)
            log.debug("command", command=name)
            self._commands.run(command)
        self.arm()

    def arm(self) -> None:
        """One timer: the machine's deadline, the next audio that is due, or the end of the wait for a mark."""
        self._brief_ear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [
            at
            for at in (
                self._machine.deadline,
                self._playout.next_due(self._clock.last),
                self._playout.mark_lost_at,
            )
            if at is not None
        ]
        if due and not self._over.is_set():
            self._timer = self._loop.call_at(self._clock.loop_s(min(due)), self._tick)

    def _brief_ear(self) -> None:
        self._briefing.words(self._machine.caller_words, are_final=self._words_are_final)
        self._briefing.habits(self._machine.pauses_ms)
        self._briefing.agent_speaks(self._playout.is_audible(self._clock.last))

    # --- what the speaker tells, see `Driver` --------------------------------------------------

    def told(self, turn: AgentTurn) -> None:
        """The turn counts from here on."""
        self._commands.words_final_at = None
        self._briefing.asked(self._record.state)

    def finished(self, turn: AgentTurn) -> None:
        """It is over."""
        self._briefing.asked(self._record.state)
        if turn.is_told:
            self._observer.turn_over(
                TurnSeen(
                    kind=turn.kind,
                    seq=turn.seq,
                    timings=turn.stamps.timings(),
                    over_at_ms=self._clock.last,
                    stage=self._record.state.stage,
                    move=turn.move,
                    refusal=turn.refusal,
                    has_opener=turn.opener is not None,
                    prompt_tokens=turn.trace.prompt_tokens,
                    tokens_written=turn.trace.tokens_written,
                )
            )

    def failed_ahead(self, turn: AgentTurn) -> None:
        """Nobody waits for it yet: the machine has it begun anew when its time has come."""
        self._commands.drop(turn)
        self.happened(ReplyFailed(reply_id=turn.reply_id))
