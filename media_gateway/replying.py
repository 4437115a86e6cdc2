"""Makes the words of one call's agent turns: asks the model, has the script judge its move, falls back to authored lines."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

import structlog

from media_gateway.agent_turn import AgentTurn, Segment
from media_gateway.call_record import CallRecord
from media_gateway.call_tasks import CallTasks
from media_gateway.errors import NoUsableReply
from media_gateway.head_start import HeadStart
from media_gateway.opener_prefetch import Openers
from media_gateway.ports import Dialogue, MoveChosen, WordsWritten
from media_gateway.prefetch import Prefetch
from media_gateway.routing.ahead import RouteAhead
from media_gateway.speaker import Speaker
from media_gateway.stream_clock import StreamClock
from workflows.script.events import MoveProposed, ScriptEvent
from workflows.script.moves import allowed_moves

log = structlog.get_logger(__name__)


class Replying:
    """One call's author. Whatever a turn decides is without effect until the speaker tells it."""

    def __init__(
        self,
        *,
        record: CallRecord,
        speaker: Speaker,
        dialogue: Dialogue,
        prefetch: Prefetch,
        openers: Openers,
        route: RouteAhead,
        clock: StreamClock,
        tasks: CallTasks,
    ) -> None:
        self._record = record
        self._speaker = speaker
        self._dialogue = dialogue
        self._prefetch = prefetch
        self._openers = openers
        self._route = route
        self._head_start = HeadStart(dialogue)
        self._clock = clock
        self._tasks = tasks
        self._fillers_used = 0

    def heard(self, caller_words: str) -> None:
        """The caller's words so far: look up and prepare what a reply to them would need."""
        self._prefetch.want(caller_words, self._quotable())
        self._openers.want(caller_words)
        self._route.want(caller_words)
        if self._speaker.turn is None and not self._record.is_over:
            self._head_start.want(self._record.request())

    def reply(self, turn: AgentTurn) -> None:
        """Have the model answer the turn's words."""
        turn.making = self._tasks.spawn(self._reply(turn), "reply")

    def recite(self, turn: AgentTurn, event: ScriptEvent) -> None:
        """A turn that needs no model: what the script says to an event."""
        turn.decide(*self._record.decide(event))
        turn.making = self._tasks.spawn(self._lines(turn, list(turn.lines)), "lines")

    def fill(self, turn: AgentTurn) -> None:
        """The reply has no words yet: a filler line."""
        lines = self._record.script.filler
        if not lines or turn.has_words:
            return
        line = lines[self._fillers_used % len(lines)]
        self._fillers_used += 1
        filler = Segment(text=line.text, line_id=line.line_id, is_filler=True)
        self._tasks.spawn(self._speaker.say(turn, filler), "filler")

    def fall_back(self, turn: AgentTurn) -> None:
        """The model is too late: authored words under the same reply."""
        turn.has_fallen_back = True
        if turn.stamps.first_audio is not None:
            return  # it is spoken already, and waits behind a filler
        if turn.making is not None:
            turn.making.cancel()
        self._speaker.begin_anew(turn)
        turn.making = self._tasks.spawn(self._late_reply(turn), "fall back")

    def let_out(self, turn: AgentTurn) -> None:
        """It is held no longer: what it begins with is heard, even if it is taken back, and not said again so soon."""
        if turn.has_chosen_opener:
            self._openers.said(turn.opener)

    def close(self) -> None:
        """Stop looking up and preparing."""
        self._prefetch.close()
        self._openers.close()
        self._route.close()
        self._head_start.close()

    # --- how it is made ----------------------------------------------------------------------

    async def _reply(self, turn: AgentTurn) -> None:
        """Ask the model, check its move, speak."""
        self._route.want(turn.caller_words)
        await self._open(turn)
        passages = await self._prefetch.passages(turn.caller_words, self._quotable())
        turn.passages = tuple(passage.source for passage in passages)
        request = self._record.request(turn.caller_words, passages)
        request = replace(request, client=self._route.chosen(turn.caller_words))
        if turn.opener is not None:
            request = replace(request, already_said=turn.opener.text)
        after: list[Segment] = []
        try:
            async with aclosing(
                self._dialogue.reply(request, turn.trace, self._head_start.take())
            ) as reply:
                async for part in reply:
                    match part:
                        case MoveChosen():
                            self._stamp(turn)
                            turn.stamps.move_chosen = self._clock.now()
                            speaks_reply, after = await self._choose(turn, part)
                            if not speaks_reply:
                                break
                        case WordsWritten():
                            await self._speaker.say(turn, Segment(text=part.text))
        except NoUsableReply as error:
            self._stamp(turn)
            log.warning("reply_not_used", reason=error.reason, stage=self._record.state.stage)
            turn.refusal = error.reason
            if turn.decided is None:
                # What broke off makes no move, though its name may be one: without its slots it is another.
                allowed = {move.name for move in allowed_moves(request.script, request.state)}
                proposed = "" if error.proposed_move in allowed else error.proposed_move
                _, after = await self._choose(turn, MoveChosen(move=proposed, slots={}))
        await self._lines(turn, after)

    def _quotable(self) -> tuple[str, ...] | None:
        """What the stage allows to be quoted; see `Knowledge.search`."""
        return self._record.script.stages[self._record.state.stage].knowledge

    async def _open(self, turn: AgentTurn) -> None:
        """Short first words, if they are ready and certain to fit: heard while the model still thinks."""
        await self._openers.settled(turn.caller_words)
        turn.opener = opener = self._openers.choose(turn.caller_words, self._record.state)
        turn.has_chosen_opener = True
        if not turn.is_ahead:
            self.let_out(turn)
        if opener is not None:
            segment = Segment(
                text=opener.text, line_id=opener.line_id, audio=opener.audio, is_opener=True
            )
            self._speaker.say_ready(turn, segment)

    async def _choose(self, turn: AgentTurn, chosen: MoveChosen) -> tuple[bool, list[Segment]]:
        turn.move = chosen.move
        turn.slots = dict(chosen.slots)
        before, speaks_reply, after = turn.decide(*self._record.decide(_proposed(turn)))
        for segment in before:
            await self._speaker.say(turn, segment)
        return speaks_reply, after

    async def _lines(self, turn: AgentTurn, segments: list[Segment]) -> None:
        for segment in segments:
            await self._speaker.say(turn, segment)
        await self._speaker.written(turn)

    async def _late_reply(self, turn: AgentTurn) -> None:
        """What the script decided stands, in its authored words; where it decided nothing yet, the stage's fallback."""
        if turn.decided is not None:
            await self._lines(turn, list(turn.lines))
            return
        turn.refusal = turn.refusal or "timeout"
        _, after = await self._choose(turn, MoveChosen(move="", slots={}))
        await self._lines(turn, after)

    def _stamp(self, turn: AgentTurn) -> None:
        """Bring the model's own times, which are on the loop's clock, into stream time."""
        turn.stamps.request_sent = self._clock.of(turn.trace.request_sent_s)
        turn.stamps.first_token = self._clock.of(turn.trace.first_token_s)


def _proposed(turn: AgentTurn) -> MoveProposed:
    return MoveProposed(caller_words=turn.caller_words, move=turn.move, slots=turn.slots)
