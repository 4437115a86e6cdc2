"""Speaks one call's agent turns, one at a time: segments → voice, or ready audio → `Playout` → the wire; marks come back.

Decides nothing about the floor. It tells the driver when a reply becomes audible, was heard to its end, or failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Protocol

import structlog

from media_gateway.agent_turn import AgentTurn, Segment
from media_gateway.call_record import CallRecord
from media_gateway.call_tasks import CallTasks
from media_gateway.errors import VendorUnavailable
from media_gateway.speech.ports import AudioTakenBack, LineAudio, Speech, SpokenAudio, TextToSpeech
from media_gateway.stream_clock import StreamClock
from media_gateway.turns.playout import Outgoing, Playout
from media_gateway.turns.types import (
    AgentWords,
    Event,
    Ms,
    ReplyFailed,
    ReplyPaused,
    ReplyPlayed,
    ReplyStarted,
    ScriptEnded,
)
from media_gateway.wire import Wire

log = structlog.get_logger(__name__)

VOICE_LATE_MS = 1000
"""A voice that failed this long after it was given words is not given others: the caller has waited for it once."""


class Driver(Protocol):
    """What is told of the turns."""

    def happened(self, event: Event) -> None:
        """Show the turn machine this, and carry out what it answers."""

    def told(self, turn: AgentTurn) -> None:
        """The turn counts from here on."""

    def finished(self, turn: AgentTurn) -> None:
        """The turn is over."""

    def failed_ahead(self, turn: AgentTurn) -> None:
        """Nothing will come of a turn that was begun ahead; it is to be dropped."""

    def arm(self) -> None:
        """Set the timer anew: what is due next has changed."""

    def line_lost(self) -> None:
        """There is no use in going on with this stream."""


class Speaker:
    """One call's mouth. At most one turn at a time is spoken or held."""

    def __init__(
        self,
        *,
        driver: Driver,
        record: CallRecord,
        voice: TextToSpeech,
        lines: LineAudio,
        playout: Playout,
        wire: Wire,
        clock: StreamClock,
        tasks: CallTasks,
    ) -> None:
        self._driver = driver
        self._record = record
        self._voice = voice
        self._lines = lines
        self._playout = playout
        self._wire = wire
        self._clock = clock
        self._tasks = tasks
        self.is_mute = False
        """A turn found no voice, and the stream was given up: the carrier's own voice has to speak."""
        self.turn: AgentTurn | None = None
        """Being made, held, or spoken."""

    # --- a turn's way ------------------------------------------------------------------------

    def begin(self, turn: AgentTurn) -> None:
        """The next agent turn. One begun ahead is held until `commit`."""
        if self.turn is not None:
            raise AssertionError("two turns never speak at once")
        self.turn = turn
        self._playout.begin_reply(turn.reply_id, held=turn.is_ahead)

    async def say(self, turn: AgentTurn, segment: Segment) -> None:
        """The turn's next words. Of a making that was given up, nothing but fillers is spoken."""
        if not self._is_wanted(turn, segment):
            return
        if segment.audio is None and segment.line_id:
            segment = replace(segment, audio=self._lines.ready(segment.text))
        if segment.audio is not None:
            self.say_ready(turn, segment)
            return
        async with turn.voice_lock:
            if not self._is_wanted(turn, segment):
                return
            try:
                await self._hand_over(turn, segment)
            except VendorUnavailable as error:
                self._failed(turn, error)

    def _is_wanted(self, turn: AgentTurn, segment: Segment) -> bool:
        if self.turn is not turn:
            return False
        # The answer itself may have come before its filler.
        return not turn.has_words if segment.is_filler else turn.making is asyncio.current_task()

    async def _hand_over(self, turn: AgentTurn, segment: Segment) -> None:
        if turn.voice_lost_ms >= VOICE_LATE_MS:
            raise VendorUnavailable("voice", "silent for too long to be asked again")
        self._stamp_words(turn, segment)
        if turn.speech is None:
            speech = await self._voice.begin()
            if not self._is_wanted(turn, segment):
                await (
                    speech.cancel()
                )  # cut meanwhile, or a filler whose answer was ready without the voice
                return
            turn.speech = speech
            turn.playing = self._tasks.spawn(self._play(turn, speech), "play")
        await turn.speech.say(self._add(turn, segment), segment.text)

    def say_ready(self, turn: AgentTurn, segment: Segment) -> None:
        """Words that were spoken before (`segment.audio`): they go out in this very moment if nothing is before them.

        For an opener (`segment.is_opener`): the turn is told when the words behind it are heard, not for its sake.
        """
        if segment.audio is None:
            raise ValueError("the segment has no audio of its own")
        if self.turn is not turn:
            return
        self._stamp_words(turn, segment)
        number = self._add(turn, segment)
        if turn.stamps.first_audio is None and turn.is_answer(number):
            turn.stamps.first_audio = self._clock.now()
        self._playout.add(number, segment.audio.mulaw, segment.audio.words)
        self._playout.segment_done(number)
        self.pump()

    async def written(self, turn: AgentTurn) -> None:
        """No more words follow."""
        if turn.making is not asyncio.current_task():
            return  # the voice failed, and another task has the turn's lines spoken
        turn.is_written = True
        if turn.speech is not None:
            try:
                await turn.speech.finish()
            except VendorUnavailable as error:
                self._failed(turn, error)
        elif turn.segments:
            self._delivered()
        elif not turn.is_ahead:
            self._over_without_a_word(turn)

    def commit(self, turn: AgentTurn) -> None:
        """What was begun ahead is the answer: its first audio goes out now if it is there."""
        turn.is_ahead = False
        self._playout.release()
        if turn.is_written and not turn.segments:
            self._over_without_a_word(turn)
        else:
            self.pump()

    def tell(self, turn: AgentTurn) -> None:
        """The turn is heard from here on, or a fact anyway: what the script decided counts."""
        if self._record.begun(turn):
            self._driver.told(turn)
            if turn.ends_call:
                self._driver.happened(ScriptEnded())

    def _over_without_a_word(self, turn: AgentTurn) -> None:
        """A decision that says nothing: the turn is over at once."""
        self.tell(turn)
        self.finish(turn, interrupted=False)
        self._driver.happened(ReplyPlayed(reply_id=turn.reply_id))

    def _add(self, turn: AgentTurn, segment: Segment) -> int:
        number = len(turn.segments)
        turn.segments.append(segment)
        self._playout.begin_segment(
            number, segment.text, line_id=segment.line_id, must_say=segment.must_say
        )
        self._driver.happened(
            AgentWords(reply_id=turn.reply_id, text=segment.text, are_opener=segment.is_opener)
        )
        return number

    def _stamp_words(self, turn: AgentTurn, segment: Segment) -> None:
        if turn.stamps.first_words is None and not (segment.is_filler or segment.is_opener):
            turn.stamps.first_words = self._clock.now()

    # --- sound -------------------------------------------------------------------------------

    async def _play(self, turn: AgentTurn, speech: Speech) -> None:
        """Move the voice's audio into the playout as it comes."""
        try:
            async for item in speech:
                if self.turn is not turn or turn.speech is not speech:
                    return  # cut, or begun anew: this is of nobody's reply
                if isinstance(item, SpokenAudio):
                    if (
                        turn.stamps.first_audio is None
                        and item.mulaw
                        and turn.is_answer(item.segment)
                    ):
                        turn.stamps.first_audio = self._clock.now()
                    self._playout.add(item.segment, item.mulaw, item.words)
                elif isinstance(item, AudioTakenBack):
                    self._take_back(item)
                else:
                    self._playout.segment_done(item.segment)
                self.pump()
        except VendorUnavailable as error:
            if turn.speech is speech:
                self._failed(turn, error)
            return
        if self.turn is turn and turn.speech is speech:
            self._delivered()

    def _take_back(self, item: AudioTakenBack) -> None:
        """Another voice goes on in the middle of a sentence."""
        message = self._playout.take_back(
            item.segment, item.at_ms, self._clock.now(), unsent_ms=self._wire.unsent_ms
        )
        if message is not None:
            self._wire.overtake(message)

    def _delivered(self) -> None:
        self._playout.end_reply()
        self.pump()
        self._check_played()

    def pump(self) -> None:
        """Send what is due; tell when a reply becomes audible."""
        due = self._playout.due(self._clock.now())
        for item in due:
            self._wire.post(item.message, audio_ms=item.audio_ms)
        # Only now: whoever hears of it may cut the reply, and nothing of it may follow the `clear`.
        turn = self.turn
        if turn is not None and turn.stamps.first_audio_sent is None:
            first = next((i for i in due if i.audio_ms and turn.is_answer(i.segment)), None)
            if first is not None:
                self._is_audible(turn, first)
        self._driver.arm()

    def _is_audible(self, turn: AgentTurn, first: Outgoing) -> None:
        turn.stamps.first_audio_sent = self._clock.last
        turn.stamps.first_audio_played = self._playout.starts_at_ms(first.segment)
        self.tell(turn)
        self._playout.interruptibility_changed()  # shown here
        self._tell_started(turn)

    def _tell_started(self, turn: AgentTurn) -> None:
        self._driver.happened(
            ReplyStarted(reply_id=turn.reply_id, interruptible=self._playout.is_interruptible)
        )

    def mark_echoed(self, name: str) -> None:
        """The carrier has played what was before this mark, or dropped it for a `clear`."""
        self._playout.mark_echoed(name, self._clock.now())
        self._check_played()
        self.pump()

    def tick(self) -> None:
        """The timer came: audio is due, or a mark that never came back."""
        self.pump()
        if self._playout.give_up_marks(self._clock.now()):
            log.warning("mark_lost")
            self._check_played(ended_at=self._playout.ended_at)
            self._driver.arm()

    def _check_played(self, *, ended_at: Ms | None = None) -> None:
        turn = self.turn
        if turn is None:
            return
        if self._playout.is_drained and turn.is_written:
            self.tell(turn)
            self.finish(turn, interrupted=False)
            self._driver.happened(ReplyPlayed(reply_id=turn.reply_id, at=ended_at))
        elif turn.stamps.first_audio_sent is not None and self._playout.interruptibility_changed():
            self._tell_started(turn)

    # --- holding back, and cutting -----------------------------------------------------------

    def pause(self, turn: AgentTurn) -> None:
        """A sound over the reply: `clear` before everything else, then say what is left."""
        now = self._clock.now()
        message = self._playout.pause(now, unsent_ms=self._wire.unsent_ms)
        if message is not None:
            self._wire.overtake(message)
        unheard_ms, is_whole = self._playout.unheard_ms(now), self._playout.is_whole
        if is_whole and not unheard_ms and turn.stamps.first_audio_sent is not None:
            # He waited for the last word; its mark is on its way, and the turn is his.
            self.finish(turn, interrupted=False)
        self._driver.happened(
            ReplyPaused(reply_id=turn.reply_id, unheard_ms=unheard_ms, is_whole=is_whole)
        )

    def resume(self) -> None:
        """It was nothing: go on with the first word that was not heard whole."""
        self._playout.release()
        self.pump()

    def finish(self, turn: AgentTurn, *, interrupted: bool) -> None:
        """The turn is over: what was heard becomes history, if it was told."""
        if self.turn is not turn:
            return
        if interrupted:
            self._clear()
        self._record.over(turn, self._playout.heard(self._clock.now()), interrupted=interrupted)
        self.turn = None
        self._driver.finished(turn)

    def cut(self, turn: AgentTurn) -> None:
        """Nobody wants it any more: `clear` the line, stop the model. Its voice is the caller's to `silence`."""
        self.finish(turn, interrupted=True)
        turn.cancel()

    def _clear(self) -> None:
        message = self._playout.clear(self._clock.now(), unsent_ms=self._wire.unsent_ms)
        if message is not None:
            self._wire.overtake(message)

    # --- a voice that fails ------------------------------------------------------------------

    def begin_anew(self, turn: AgentTurn) -> None:
        """Take back what was given to a voice that did not speak it: the words that follow go to another one."""
        if turn.words_before_answer == len(turn.segments):
            return
        self._tasks.spawn(silence(turn), "silence")
        self._forget_answer(turn)

    def _forget_answer(self, turn: AgentTurn) -> None:
        turn.speech, turn.is_written = None, False
        turn.stamps.first_audio = (
            None  # a line that was ready behind words that nobody spoke is forgotten, too
        )
        kept = self._playout.begin_again(keep=turn.words_before_answer)
        del turn.segments[kept:]

    def _failed(self, turn: AgentTurn, error: VendorUnavailable) -> None:
        """Before any audio the authored lines try the voice once more. After that the turn counts, and ends as cut."""
        if self.turn is not turn:
            return
        log.error("voice_failed", vendor=error.vendor, reason=error.reason)
        turn.refusal = turn.refusal or "voice"
        if turn.is_ahead:
            self._driver.failed_ahead(turn)
            return
        if turn.stamps.first_audio_sent is None and not turn.has_lost_voice:
            turn.has_lost_voice = True
            now, asked = self._clock.now(), turn.stamps.first_words
            turn.voice_lost_ms = 0 if asked is None else now - asked
            self._forget_answer(turn)
        else:
            self._give_up(turn)
        asked_before = turn.has_fallen_back
        self._driver.happened(ReplyFailed(reply_id=turn.reply_id))
        if self.turn is turn and (asked_before or not turn.has_fallen_back):
            # The authored line was asked for before, and nothing more will come.
            self._give_up(turn)

    def _give_up(self, turn: AgentTurn) -> None:
        self.is_mute = turn.stamps.first_audio_sent is None
        self.tell(turn)
        self.finish(turn, interrupted=True)
        if turn.making is not None:
            turn.making.cancel()
        if self.is_mute:
            log.error("voice_given_up")
            self._driver.line_lost()


def silence(turn: AgentTurn) -> Coroutine[Any, Any, None]:
    """Have the voice stop what it speaks now of a turn."""
    return _cancel(turn.speech)


async def _cancel(speech: Speech | None) -> None:
    if speech is not None:
        await speech.cancel()
