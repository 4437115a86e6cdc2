"""One call's driver: feeds the turn machine, carries out its commands, keeps the clock. Decides nothing itself.

Data's way: frames → voice detector → `TurnMachine` → commands → the model's move → `advance` → segments → voice →
`Playout` → the wire; marks come back into `Playout`, whose ledger says what was heard; a finished turn goes to the
workflow as one signal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, assert_never

import structlog
from starlette.websockets import WebSocketDisconnect

from media_gateway.agent_turn import AgentTurn, Segment, Stamps
from media_gateway.errors import NoUsableReply, VendorUnavailable
from media_gateway.parts import GatewayParts
from media_gateway.ports import Exchange, MoveChosen, ReplyRequest, ReplyTrace, WordsWritten
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
    FlushRecogniser,
    HangUp,
    InterimWords,
    InterruptReply,
    LineLost,
    Ms,
    PlayFiller,
    PressKey,
    PromptCaller,
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
from workflows.contracts.payloads import Attached, MediaLost, TurnCompleted, TurnKind
from workflows.script.events import (
    CallAnswered,
    CallerSilent,
    CallResumed,
    DtmfPressed,
    MoveProposed,
    ReplyHeard,
    ScriptEvent,
)
from workflows.script.machine import advance
from workflows.script.parse import parse_script

log = structlog.get_logger(__name__)

HISTORY_TURNS = 8
"""Past turns that the model sees."""
REOPEN_FIRST_S = 0.1
REOPEN_MOST_S = 1.0
"""Between tries to reach the recogniser: a caller does not wait longer."""
LAST_SIGNAL_S = 2.0
"""After the last turn, for Temporal's acknowledgement before the socket closes."""
MOST_OUTGOING = 500
"""Messages that the socket did not take: some ten seconds of audio, when 400 ms are the rule."""


class CallSession:
    """One call on one media stream, from `attach` to the end of the stream."""

    def __init__(
        self,
        parts: GatewayParts,
        call_id: str,
        start: Start,
        attached: Attached,
        send: Callable[[str], Awaitable[None]],
    ) -> None:
        self._parts = parts
        self._call_id = call_id
        self._start = start
        self._attached = attached
        self._send = send
        self._script = parse_script(attached.script_yaml, name="script")
        self._state = attached.state
        self._seq = attached.next_seq
        self._history = [
            Exchange(caller_words=turn.caller_words, agent_words=turn.agent_words)
            for turn in attached.history
        ]
        self._loop = asyncio.get_running_loop()
        self._started_s = self._loop.time()
        self._last_ms = Ms(0)
        self._machine = TurnMachine(parts.policy)
        self._playout = Playout(start.stream_sid)
        self._detector = parts.detectors.open()
        self._prefetch = Prefetch(parts.knowledge.get(self._script.script_id))
        self._recognition: Recognition | None = None
        self._turn: AgentTurn | None = None
        self._words_so_far = ""
        self._words_final_at: Ms | None = None
        self._fillers_used = 0
        self._timer: asyncio.TimerHandle | None = None
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(MOST_OUTGOING)
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._is_lost = False

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
        turn = self._turn
        if turn is not None:
            self._record(turn, interrupted=True)
            await self._cancel(turn)
        self._record_unanswered()
        lost = MediaLost(
            epoch=self._attached.epoch,
            stream_sid=self._start.stream_sid,
            clean=not self._is_lost,
        )
        self._parts.link.media_lost(self._call_id, lost)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._recognition is not None:
            await self._recognition.close()
        await self._parts.link.flush(self._call_id, within_s=LAST_SIGNAL_S)
        log.info("session_ended", turns=self._seq - self._attached.next_seq, lost=self._is_lost)

    def line_lost(self) -> None:
        """The socket is closed: the caller hung up, or the carrier broke off."""
        if not self._over.is_set():
            self._is_lost = True
            self._happened(LineLost())
            self._over.set()

    # --- what comes in -----------------------------------------------------------------------

    def receive(self, message: Inbound) -> None:
        """Take one message of the media stream. Never raises, never blocks."""
        match message:
            case MediaFrame():
                self._hear(message)
            case MarkEchoed():
                self._mark_echoed(message.name)
            case Dtmf():
                self._happened(DtmfHeard(digit=message.digit))
            case Stop():
                self._happened(LineLost())
                self._over.set()
            case Start() | Connected():
                log.warning("message_dropped", reason="a second start or connected")
            case _:
                assert_never(message)

    def _hear(self, frame: MediaFrame) -> None:
        if self._recognition is not None:
            self._recognition.send(frame.mulaw)
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

    def _mark_echoed(self, name: str) -> None:
        now = self._now()
        self._playout.mark_echoed(name, now)
        self._check_played(now)
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
                event = DtmfPressed(digit=command.digit)
                self._script_turn(command.reply_id, TurnKind.DTMF, event, digit=command.digit)
            case HangUp():
                self._over.set()
            case _:
                assert_never(command)

    # --- agent turns -------------------------------------------------------------------------

    def _open(self) -> None:
        reply_id = self._machine.next_reply_id()
        self._happened(AgentTurnOpened(reply_id=reply_id))
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

    def _script_turn(
        self, reply_id: int, kind: TurnKind, event: ScriptEvent, *, digit: str = ""
    ) -> None:
        """A turn that needs no model: the script's own lines."""
        turn = self._new_turn(reply_id, kind)
        turn.digit = digit
        state, effects = advance(self._script, self._state, event)
        before, _, after = turn.decide(state, effects)
        turn.making = self._spawn(self._speak_lines(turn, before + after), "lines")

    def _begin(self, turn: AgentTurn) -> None:
        turn.making = self._spawn(self._reply(turn), "reply")

    async def _reply(self, turn: AgentTurn) -> None:
        """Ask the model, check its move, speak."""
        passages = await self._prefetch.passages(turn.caller_words)
        turn.passages = tuple(passage.source for passage in passages)
        request = ReplyRequest(
            script=self._script,
            state=self._state,
            caller_words=turn.caller_words,
            history=tuple(self._history[-HISTORY_TURNS:]),
            passages=passages,
            facts=self._attached.facts,
        )
        trace = ReplyTrace()
        after: list[Segment] = []
        try:
            async with aclosing(self._parts.dialogue.reply(request, trace)) as reply:
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
        turn.is_written = True
        if turn.speech is not None:
            await turn.speech.finish()
        elif not turn.segments:
            # A decision without a word: the turn is over at once.
            self._commit(turn)
            self._finish(turn, interrupted=False)
            self._happened(ReplyPlayed(reply_id=turn.reply_id))

    async def _say(self, turn: AgentTurn, segment: Segment) -> None:
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
        self._check_played(self._now())

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
                self._commit(turn)
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
        if turn.ends_call:
            self._happened(ScriptEnded())

    def _check_played(self, now: Ms) -> None:
        turn = self._turn
        if turn is None:
            return
        if self._playout.is_drained and turn.is_written:
            self._commit(turn)
            self._finish(turn, interrupted=False)
            self._carry_out(self._machine.receive(ReplyPlayed(reply_id=turn.reply_id), now))
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
        turn.refusal = turn.refusal or "timeout"
        turn.making = self._spawn(self._late_reply(turn), "fall back")

    async def _late_reply(self, turn: AgentTurn) -> None:
        _, after = await self._choose(turn, MoveChosen(move="", slots={}))
        await self._speak_lines(turn, after)

    def _speech_failed(self, turn: AgentTurn, error: VendorUnavailable) -> None:
        """Before any audio the machine asks for the authored line, which tries the voice again; after it, the turn ends."""
        if self._turn is not turn:
            return
        log.error("voice_failed", vendor=error.vendor, reason=error.reason)
        if turn.stamps.first_audio_sent is None:
            turn.speech = None
            turn.segments.clear()
            self._playout.begin_reply(turn.reply_id)
        else:
            self._finish(turn, interrupted=True)
        self._happened(ReplyFailed(reply_id=turn.reply_id))

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
        self._signal(
            turn.completed(
                epoch=self._attached.epoch,
                seq=self._seq,
                stage=self._state.stage,
                heard_words=heard.words,
                lines_heard=heard.lines,
                interrupted=interrupted,
            )
        )

    def _record_unanswered(self) -> None:
        """Words that the caller said before the line went: kept, though nothing answered them."""
        turn = self._turn
        words = self._machine.caller_words
        if turn is not None and not turn.is_committed and turn.caller_words:
            words = f"{turn.caller_words} {words}".strip()
        if words:
            self._signal(
                TurnCompleted(
                    epoch=self._attached.epoch,
                    seq=self._seq,
                    kind=TurnKind.HANG_UP,
                    caller_words=words,
                    stage=self._state.stage,
                    interrupted=True,
                )
            )

    def _signal(self, turn: TurnCompleted) -> None:
        self._parts.link.turn_completed(self._call_id, turn)
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
                self._recognition = recognition
                async for transcript in recognition:
                    wait_s = REOPEN_FIRST_S
                    self._transcribed(transcript)
            except VendorUnavailable as error:
                log.warning("recogniser_lost", vendor=error.vendor, reason=error.reason)
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
