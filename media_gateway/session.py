"""One call's driver: feeds the turn machine, carries out its commands, keeps the clock. Decides nothing itself.

Data's way: frames → voice detector → `TurnMachine` → commands → the model's move → `advance` → segments → voice →
`Playout` → the wire; marks come back into `Playout`, whose ledger says what was heard; a finished turn goes to the
workflow as one signal.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, assert_never

import structlog
from starlette.websockets import WebSocketDisconnect

from media_gateway.agent_turn import AgentTurn, Segment, Stamps
from media_gateway.errors import NoUsableReply, VendorUnavailable
from media_gateway.head_start import HeadStart
from media_gateway.parts import GatewayParts
from media_gateway.ports import (
    Exchange,
    MoveChosen,
    Passage,
    ReplyRequest,
    ReplyTrace,
    WordsWritten,
)
from media_gateway.prefetch import Prefetch
from media_gateway.speech.ports import Recognition, SpokenAudio, Transcript
from media_gateway.turns.machine import TurnMachine
from media_gateway.turns.playout import Playout
from media_gateway.turns.types import (
    AgentTurnOpened,
    BeginReply,
    Command,
    DtmfHeard,
    Event,
    FallBack,
    FinalWords,
    Floor,
    FlushRecogniser,
    HandOver,
    HandOverDue,
    HangUp,
    InterimWords,
    InterruptReply,
    LineLost,
    Ms,
    NoteKey,
    ObeyOrder,
    OrderCame,
    PlayFiller,
    PressKey,
    PromptCaller,
    RecogniserLost,
    ReplyFailed,
    ReplyPlayed,
    ReplyStarted,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
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
from workflows.script.events import (
    CallAnswered,
    CallerSilent,
    CallResumed,
    DtmfPressed,
    MoveProposed,
    ReplyHeard,
    ScriptEvent,
    SupervisorOrdered,
)
from workflows.script.machine import advance, means_something
from workflows.script.model import Outcome, Script
from workflows.script.state import digest
from workflows.script.turn_events import heard_event

log = structlog.get_logger(__name__)

HISTORY_TURNS = 8
"""Past turns that the model sees."""
REOPEN_FIRST_S = 0.1
REOPEN_MOST_S = 1.0
"""Between tries to reach the recogniser: a caller does not wait longer."""
LAST_SIGNAL_S = 2.0
"""After the last turn, for Temporal's acknowledgement before the socket closes."""
MOST_UNHEARD = 250
"""Frames: five seconds. What is older would be answered long after it was said."""
MOST_OUTGOING = 500
"""Messages that the socket did not take: some ten seconds of audio, when 400 ms are the rule."""
VENDOR_ENDS_WITHIN_S = 2.0
MOST_MUTE_TURNS = 2
"""Turns in a row without a voice; then the stream is given up, and the carrier's own voice can apologise."""


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
        self._parts = parts
        self._call_id = call_id
        self._start = start
        self._attached = attached
        self._send = send
        self._script = script
        self._state = attached.state
        self._seq = attached.next_seq
        self._history = [
            Exchange(caller_words=turn.caller_words, agent_words=turn.agent_words)
            for turn in attached.history
        ]
        self._loop = asyncio.get_running_loop()
        self._started_s = started_s
        """When the stream's `start` came, on the loop's clock: the zero of all stream times."""
        self._last_ms = Ms(0)
        self._machine = TurnMachine(parts.policy)
        self._playout = Playout(start.stream_sid)
        self._detector = parts.detectors.open()
        self._prefetch = Prefetch(parts.knowledge.get(self._script.script_id))
        self._head_start = HeadStart(parts.dialogue)
        self._recognition: Recognition | None = None
        self._unheard: deque[bytes] = deque(maxlen=MOST_UNHEARD)
        """Frames that came while no recogniser was there: the next one hears them first."""
        self._turn: AgentTurn | None = None
        self._words_final_at: Ms | None = None
        self._fillers_used = 0
        self._mute_turns = 0
        self._last_chunk = 0
        self._heard: TurnHeard | None = None
        """Of the last turn that is over; the next message takes it along."""
        self._order: Directive | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(MOST_OUTGOING)
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._is_lost = False

    @property
    def call_id(self) -> str:
        """Of the call that is carried."""
        return self._call_id

    @property
    def ending(self) -> AfterStream | None:
        """What has to follow the stream because the script is over; None while it is not."""
        if self._state.outcome is None:
            return None
        if self._state.transfer_to:
            return AfterStream(step=NextStep.DIAL, number=self._state.transfer_to)
        return AfterStream(step=NextStep.HANG_UP)

    # --- life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry the call until the script hangs up or the line is gone."""
        log.info("session_started", epoch=self._attached.epoch, resumed=self._attached.resumed)
        self._spawn(self._write(), "write")
        self._spawn(self._listen(), "listen")
        self._spawn(self._parts.dialogue.warm(), "warm")
        try:
            self._open()
            await self._over.wait()
        finally:
            await self._end()

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._prefetch.close()
        self._head_start.close()
        turn = self._turn
        if turn is not None:
            if turn.decided is not None and turn.decided.outcome is Outcome.OPTED_OUT:
                self._commit(turn)  # whether he waited for the answer or not
            self._record(turn, interrupted=True)
        self._record_unanswered()
        # Told before anything is waited for: a vendor that hangs or fails takes no turn with it.
        lost = MediaLost(
            epoch=self._attached.epoch,
            stream_sid=self._start.stream_sid,
            clean=not self._is_lost,
            heard=self._heard,
        )
        self._parts.link.media_lost(self._call_id, lost)
        if turn is not None:
            await self._let_go(self._cancel(turn))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._recognition is not None:
            await self._let_go(self._recognition.close())
        await self._parts.link.flush(self._call_id, within_s=LAST_SIGNAL_S)
        log.info("session_ended", turns=self._seq - self._attached.next_seq, lost=self._is_lost)

    async def _let_go(self, ending: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(VENDOR_ENDS_WITHIN_S):
                await ending
        except Exception as error:  # noqa: BLE001 - the call is over; what a vendor makes of it is its own affair
            log.warning("vendor_did_not_end", error=type(error).__name__)

    def line_lost(self) -> None:
        """The socket is closed: the caller hung up, or the carrier broke off."""
        if not self._over.is_set():
            self._is_lost = True
            self._happened(LineLost())
            self._over.set()

    def hand_over(self) -> None:
        """Give the call away at the next turn's boundary: this gateway is to stop."""
        if not self._over.is_set():
            self._happened(HandOverDue())

    def break_off(self) -> None:
        """Give the call away now, in the middle of whatever it is in."""
        self._over.set()

    def direct(self, directive: Directive) -> DirectiveDone:
        """Carry out what the workflow wants. Never raises."""
        if self._over.is_set() or directive.epoch != self._attached.epoch:
            return DirectiveDone(accepted=False, reason="the stream is not this one", is_here=False)
        if directive.order is None:
            return self._correct(directive)
        if self._state.outcome is not None:
            return DirectiveDone(accepted=False, reason="the script is over")
        self._order = directive
        self._happened(OrderCame())
        return DirectiveDone(accepted=True)

    def _correct(self, directive: Directive) -> DirectiveDone:
        """Take the workflow's state, unless a turn has been told since: its answer to that one is on its way."""
        turn = self._turn
        is_deciding = turn is not None and not turn.is_committed
        if directive.state is None or is_deciding or directive.after_seq != self._seq - 1:
            return DirectiveDone(accepted=False, reason="a newer turn is under way")
        log.warning("state_corrected", stage=directive.state.stage, had=self._state.stage)
        self._state = directive.state
        if self._heard is not None:
            self._state, _ = advance(self._script, self._state, heard_event(self._heard))
        if self._state.outcome is not None:
            self._happened(ScriptEnded())
        return DirectiveDone(accepted=True)

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
                    self._hear(message)
                else:
                    log.warning("message_dropped", reason="out of order", chunk=message.chunk)
            case MarkEchoed():
                self._mark_echoed(message.name)
            case Dtmf():
                if means_something(message.digit):
                    self._happened(DtmfHeard(digit=message.digit))
                else:
                    log.info("key_without_meaning")
            case Stop():
                self._happened(LineLost())
                self._over.set()
            case _:
                assert_never(message)

    def _hear(self, frame: MediaFrame) -> None:
        if self._recognition is not None:
            self._recognition.send(frame.mulaw)
        else:
            self._unheard.append(frame.mulaw)
        for change in self._detector.hear(frame.mulaw, frame.timestamp_ms):
            event = SpeechStarted if change.speaking else SpeechStopped
            self._happened(event(at=Ms(change.at_ms)))

    def _transcribed(self, transcript: Transcript) -> None:
        if transcript.is_final:
            self._words_final_at = self._now()
            self._happened(FinalWords(text=transcript.text))
        elif transcript.text:
            self._happened(InterimWords(text=transcript.text))
        if transcript.end_of_turn:
            self._happened(VendorEndOfTurn())
        self._prefetch.want(self._machine.caller_words)
        if self._turn is None and self._state.outcome is None:
            self._head_start.want(self._request())

    def _mark_echoed(self, name: str) -> None:
        now = self._now()
        self._playout.mark_echoed(name, now)
        self._check_played()
        self._pump()

    # --- the clock and the machine -----------------------------------------------------------

    def _now(self) -> Ms:
        """Stream time; never earlier than what the machine was shown."""
        now = Ms(int((self._loop.time() - self._started_s) * 1000))
        self._last_ms = Ms(max(now, self._last_ms))
        return self._last_ms

    def _happened(self, event: Event) -> None:
        self._carry_out(self._machine.receive(event, self._now()))

    def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            log.debug("command", command=type(command).__name__)
            self._obey(command)
        self._arm()

    def _arm(self) -> None:
        """One timer: the machine's deadline or the next audio that is due, whichever is first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [
            at
            for at in (self._machine.deadline, self._playout.next_due(self._last_ms))
            if at is not None
        ]
        if due and not self._over.is_set():
            self._timer = self._loop.call_at(self._started_s + min(due) / 1000, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._now()
        deadline = self._machine.deadline
        if deadline is not None and deadline <= now + 1:
            now = self._last_ms = Ms(max(now, deadline))
            self._carry_out(self._machine.on_timer(now))
        self._pump()

    def _obey(self, command: Command) -> None:
        match command:
            case FlushRecogniser():
                if self._recognition is not None:
                    self._spawn(self._recognition.finalize(), "finalize")
            case BeginReply():
                self._begin(self._new_turn(command.reply_id, TurnKind.REPLY, command.caller_words))
            case PlayFiller():
                self._fill(command.reply_id)
            case FallBack():
                self._fall_back(command.reply_id)
            case InterruptReply():
                self._interrupt(command.reply_id)
            case PromptCaller():
                self._script_turn(command.reply_id, TurnKind.SILENCE, CallerSilent())
            case PressKey():
                turn = self._new_turn(command.reply_id, TurnKind.DTMF, command.caller_words)
                turn.digit = command.digit
                self._decide_alone(turn, DtmfPressed(digit=command.digit))
            case NoteKey():
                self._note_key(command.digit)
            case ObeyOrder():
                self._obey_order(
                    self._new_turn(command.reply_id, TurnKind.ORDER, command.caller_words)
                )
            case HandOver():
                log.info("call_handed_over")
                self._over.set()
            case HangUp():
                self._over.set()
            case _:
                assert_never(command)

    # --- agent turns -------------------------------------------------------------------------

    def _open(self) -> None:
        reply_id = self._machine.next_reply_id()
        self._happened(AgentTurnOpened(reply_id=reply_id, resumes=self._attached.resumed))
        if self._attached.resumed:
            self._script_turn(reply_id, TurnKind.RESUME, CallResumed())
        else:
            self._script_turn(reply_id, TurnKind.OPENING, CallAnswered(today=self._attached.today))
        self._arm()

    def _new_turn(self, reply_id: int, kind: TurnKind, caller_words: str = "") -> AgentTurn:
        now = self._now()
        spoke_last = self._machine.speech_end_at if kind is TurnKind.REPLY else None
        stamps = Stamps(
            speech_end=now if spoke_last is None else spoke_last,
            words_final=self._words_final_at,
            end_of_turn=now,
        )
        turn = AgentTurn(reply_id=reply_id, kind=kind, caller_words=caller_words, stamps=stamps)
        self._turn = turn
        self._playout.begin_reply(reply_id)
        return turn

    def _script_turn(self, reply_id: int, kind: TurnKind, event: ScriptEvent) -> None:
        self._decide_alone(self._new_turn(reply_id, kind), event)

    def _obey_order(self, turn: AgentTurn) -> None:
        directive, self._order = self._order, None
        if directive is None or directive.order is None:
            raise AssertionError("an order was obeyed that nobody gave")
        turn.order, turn.order_target = directive.order, directive.target
        self._decide_alone(turn, SupervisorOrdered(order=directive.order, target=directive.target))

    def _note_key(self, digit: str) -> None:
        """Told to the workflow as a turn of its own, beside the last one, which plays on."""
        self._state, _ = advance(self._script, self._state, DtmfPressed(digit=digit))
        self._tell(
            TurnCompleted(
                epoch=self._attached.epoch,
                seq=self._seq,
                kind=TurnKind.DTMF,
                digit=digit,
                stage=self._state.stage,
                state_digest=digest(self._state),
            )
        )

    def _decide_alone(self, turn: AgentTurn, event: ScriptEvent) -> None:
        """A turn that needs no model: the script's own lines."""
        turn.decide(*advance(self._script, self._state, event))
        if turn.kind in (TurnKind.DTMF, TurnKind.ORDER):
            # A fact, whether the answer to it is heard or not.
            self._commit(turn)
        turn.making = self._spawn(self._speak_lines(turn, list(turn.lines)), "lines")

    def _request(self, caller_words: str = "", passages: tuple[Passage, ...] = ()) -> ReplyRequest:
        return ReplyRequest(
            script=self._script,
            state=self._state,
            caller_words=caller_words,
            history=tuple(self._history[-HISTORY_TURNS:]),
            passages=passages,
            facts=self._attached.facts,
        )

    def _begin(self, turn: AgentTurn) -> None:
        turn.making = self._spawn(self._reply(turn), "reply")

    async def _reply(self, turn: AgentTurn) -> None:
        """Ask the model, check its move, speak."""
        passages = await self._prefetch.passages(turn.caller_words)
        turn.passages = tuple(passage.source for passage in passages)
        request = self._request(turn.caller_words, passages)
        trace = ReplyTrace()
        after: list[Segment] = []
        try:
            async with aclosing(
                self._parts.dialogue.reply(request, trace, self._head_start.take())
            ) as reply:
                async for part in reply:
                    match part:
                        case MoveChosen():
                            self._stamp(turn, trace)
                            turn.stamps.move_chosen = self._now()
                            speaks_reply, after = await self._choose(turn, part)
                            if not speaks_reply:
                                break
                        case WordsWritten():
                            await self._say(turn, Segment(text=part.text))
        except NoUsableReply as error:
            self._stamp(turn, trace)
            log.warning("reply_not_used", reason=error.reason, stage=self._state.stage)
            turn.refusal = error.reason
            if turn.decided is None:
                chosen = MoveChosen(move=error.proposed_move, slots={})
                _, after = await self._choose(turn, chosen)
        await self._speak_lines(turn, after)

    async def _choose(self, turn: AgentTurn, chosen: MoveChosen) -> tuple[bool, list[Segment]]:
        turn.move = chosen.move
        turn.slots = dict(chosen.slots)
        proposed = MoveProposed(caller_words=turn.caller_words, move=chosen.move, slots=turn.slots)
        state, effects = advance(self._script, self._state, proposed)
        before, speaks_reply, after = turn.decide(state, effects)
        for segment in before:
            await self._say(turn, segment)
        return speaks_reply, after

    async def _speak_lines(self, turn: AgentTurn, segments: list[Segment]) -> None:
        for segment in segments:
            await self._say(turn, segment)
        if turn.making is not asyncio.current_task():
            return  # the voice failed, and another task has the turn's lines spoken
        turn.is_written = True
        if turn.speech is not None:
            await turn.speech.finish()
        elif not turn.segments:
            # A decision without a word: the turn is over at once.
            self._commit(turn)
            self._finish(turn, interrupted=False)
            self._happened(ReplyPlayed(reply_id=turn.reply_id))

    async def _say(self, turn: AgentTurn, segment: Segment) -> None:
        if not segment.is_filler and turn.making is not asyncio.current_task():
            return
        now = self._now()
        if turn.stamps.first_words is None and not segment.is_filler:
            turn.stamps.first_words = now
        try:
            if turn.speech is None:
                turn.speech = await self._parts.voice.begin()
                turn.playing = self._spawn(self._play(turn), "play")
            number = len(turn.segments)
            turn.segments.append(segment)
            self._playout.begin_segment(
                number, segment.text, line_id=segment.line_id, must_say=segment.must_say
            )
            await turn.speech.say(number, segment.text)
        except VendorUnavailable as error:
            self._speech_failed(turn, error)

    async def _play(self, turn: AgentTurn) -> None:
        """Move the voice's audio into the playout as it comes."""
        speech = turn.speech
        if speech is None:
            return
        try:
            async for item in speech:
                if isinstance(item, SpokenAudio):
                    if (
                        turn.stamps.first_audio is None
                        and item.mulaw
                        and turn.is_answer(item.segment)
                    ):
                        turn.stamps.first_audio = self._now()
                    self._playout.add(item.segment, item.mulaw, item.words)
                else:
                    self._playout.segment_done(item.segment)
                self._pump()
        except VendorUnavailable as error:
            self._speech_failed(turn, error)
            return
        self._playout.end_reply()
        self._pump()
        self._check_played()

    def _pump(self) -> None:
        """Send what is due, tell the machine when a reply becomes audible, set the timer again."""
        now = self._now()
        turn = self._turn
        for item in self._playout.due(now):
            self._post(item.message)
            if (
                turn is not None
                and item.is_audio
                and turn.stamps.first_audio_sent is None
                and turn.is_answer(item.segment)
            ):
                turn.stamps.first_audio_sent = now
                turn.stamps.first_audio_played = self._playout.starts_at_ms(item.segment)
                self._mute_turns = 0
                self._commit(turn)
                self._playout.interruptibility_changed()  # shown here
                self._happened(
                    ReplyStarted(
                        reply_id=turn.reply_id, interruptible=self._playout.is_interruptible
                    )
                )
        self._arm()

    def _commit(self, turn: AgentTurn) -> None:
        """The turn is heard from here on: what the script decided counts."""
        if turn.is_committed or turn.decided is None:
            return
        turn.is_committed = True
        self._state = turn.decided
        self._words_final_at = None
        self._tell(turn.begun(epoch=self._attached.epoch, seq=self._seq, before=self._heard))
        if turn.ends_call:
            self._happened(ScriptEnded())

    def _check_played(self) -> None:
        turn = self._turn
        if turn is None:
            return
        if self._playout.is_drained and turn.is_written:
            self._commit(turn)
            self._finish(turn, interrupted=False)
            self._happened(ReplyPlayed(reply_id=turn.reply_id))
        elif turn.stamps.first_audio_sent is not None and self._playout.interruptibility_changed():
            self._happened(
                ReplyStarted(reply_id=turn.reply_id, interruptible=self._playout.is_interruptible)
            )

    def _fill(self, reply_id: int) -> None:
        turn = self._turn
        lines = self._script.filler
        if turn is None or turn.reply_id != reply_id or turn.segments or not lines:
            return
        line = lines[self._fillers_used % len(lines)]
        self._fillers_used += 1
        self._spawn(
            self._say(turn, Segment(text=line.text, line_id=line.line_id, is_filler=True)), "filler"
        )

    def _fall_back(self, reply_id: int) -> None:
        """The model is too late: the stage's authored line under the same reply."""
        turn = self._turn
        if turn is None or turn.reply_id != reply_id:
            return
        if turn.making is not None:
            turn.making.cancel()
        turn.making = self._spawn(self._late_reply(turn), "fall back")

    async def _late_reply(self, turn: AgentTurn) -> None:
        """What the script decided stands, in its authored words; where it decided nothing yet, the stage's fallback."""
        if turn.decided is not None:
            await self._speak_lines(turn, list(turn.lines))
            return
        turn.refusal = turn.refusal or "timeout"
        _, after = await self._choose(turn, MoveChosen(move="", slots={}))
        await self._speak_lines(turn, after)

    def _speech_failed(self, turn: AgentTurn, error: VendorUnavailable) -> None:
        """Before any audio the authored lines try the voice once more. After that the turn counts, and ends as cut."""
        if self._turn is not turn:
            return
        log.error("voice_failed", vendor=error.vendor, reason=error.reason)
        turn.refusal = turn.refusal or "voice"
        if turn.stamps.first_audio_sent is None and not turn.has_lost_voice:
            turn.has_lost_voice = True
            turn.speech = None
            turn.segments.clear()
            self._playout.begin_reply(turn.reply_id)
        else:
            self._give_up_voice(turn)
        self._happened(ReplyFailed(reply_id=turn.reply_id))
        if self._turn is turn and self._machine.floor is not Floor.THINKING:
            # The authored line was asked for before, and nothing more will come.
            self._give_up_voice(turn)

    def _give_up_voice(self, turn: AgentTurn) -> None:
        if turn.stamps.first_audio_sent is None:
            self._mute_turns += 1
        self._commit(turn)
        self._finish(turn, interrupted=True)
        if turn.making is not None:
            turn.making.cancel()
        if self._mute_turns >= MOST_MUTE_TURNS:
            log.error("voice_given_up", turns=self._mute_turns)
            self.line_lost()

    def _interrupt(self, reply_id: int) -> None:
        turn = self._turn
        if turn is None or turn.reply_id != reply_id:
            return
        if turn.is_committed:
            self._finish(turn, interrupted=True)
        else:
            # Nothing was heard and nothing is decided: the caller simply goes on.
            self._clear()
            self._turn = None
        self._spawn(self._cancel(turn), "cancel")

    def _clear(self) -> None:
        message = self._playout.clear(self._now())
        if message is not None:
            # Audio that waits in our own queue must not follow the `clear`.
            while not self._outgoing.empty():
                self._outgoing.get_nowait()
            self._post(message)

    def _post(self, message: str) -> None:
        try:
            self._outgoing.put_nowait(message)
        except asyncio.QueueFull:
            # The carrier takes no more: nothing would be heard any longer, and it would be heard late.
            log.error("line_stuck", messages=MOST_OUTGOING)
            self.line_lost()

    def _finish(self, turn: AgentTurn, *, interrupted: bool) -> None:
        """The turn is over: what was heard becomes history, and the workflow is told."""
        if self._turn is not turn:
            return
        if interrupted:
            self._clear()
        self._record(turn, interrupted=interrupted)
        self._turn = None

    def _record(self, turn: AgentTurn, *, interrupted: bool) -> None:
        if not turn.is_committed:
            return
        heard = self._playout.heard(self._now())
        event = ReplyHeard(
            heard_words=heard.words, lines_heard=heard.lines, interrupted=interrupted
        )
        self._state, _ = advance(self._script, self._state, event)
        self._history.append(Exchange(caller_words=turn.caller_words, agent_words=heard.words))
        self._heard = turn.over(
            heard_words=heard.words, lines_heard=heard.lines, interrupted=interrupted
        )

    def _record_unanswered(self) -> None:
        """Words that the caller said before the line went: kept, though nothing answered them."""
        turn = self._turn
        words = self._machine.caller_words
        if turn is not None and not turn.is_committed and turn.caller_words:
            words = f"{turn.caller_words} {words}".strip()
        if words:
            self._tell(
                TurnCompleted(
                    epoch=self._attached.epoch,
                    seq=self._seq,
                    kind=TurnKind.HANG_UP,
                    before=self._heard,
                    caller_words=words,
                    stage=self._state.stage,
                    state_digest=digest(self._state),
                )
            )

    def _tell(self, turn: TurnCompleted) -> None:
        self._parts.link.turn_completed(self._call_id, turn)
        self._heard = None
        self._seq += 1

    async def _cancel(self, turn: AgentTurn) -> None:
        turn.cancel()
        if turn.speech is not None:
            await turn.speech.cancel()

    def _stamp(self, turn: AgentTurn, trace: ReplyTrace) -> None:
        """Bring the model's own times, which are on the loop's clock, into stream time."""

        def stream_ms(at_s: float | None) -> int | None:
            return None if at_s is None else int((at_s - self._started_s) * 1000)

        turn.stamps.request_sent = stream_ms(trace.request_sent_s)
        turn.stamps.first_token = stream_ms(trace.first_token_s)

    # --- tasks -------------------------------------------------------------------------------

    async def _write(self) -> None:
        while True:
            try:
                await self._send(await self._outgoing.get())
            except (RuntimeError, WebSocketDisconnect):
                # The socket is closed; the reader says so too.
                self.line_lost()
                return

    async def _listen(self) -> None:
        """Keep a recogniser stream open for as long as the call lasts."""
        wait_s = REOPEN_FIRST_S
        while True:
            try:
                recognition = await self._parts.recogniser.open(key_terms=self._script.key_terms)
                while self._unheard:
                    recognition.send(self._unheard.popleft())
                self._recognition = recognition
                async for transcript in recognition:
                    wait_s = REOPEN_FIRST_S
                    self._transcribed(transcript)
            except VendorUnavailable as error:
                log.warning("recogniser_lost", vendor=error.vendor, reason=error.reason)
            self._happened(RecogniserLost())
            if self._recognition is not None:
                await self._recognition.close()
                self._recognition = None
            await asyncio.sleep(wait_s)
            wait_s = min(REOPEN_MOST_S, 2 * wait_s)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine, name=f"{name} {self._call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug of ours: the call must not go silent over it. The backstop deadline opens the floor again.
            log.error("task_failed", task=task.get_name(), exc_info=error)
