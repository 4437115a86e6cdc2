"""Carries out what the turn machine commands: the one place that says what each command means for a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import structlog

from media_gateway.agent_turn import AgentTurn, Stamps
from media_gateway.call_record import CallRecord
from media_gateway.call_tasks import CallTasks
from media_gateway.listening import Listening
from media_gateway.replying import Replying
from media_gateway.speaker import Speaker, silence
from media_gateway.stream_clock import StreamClock
from media_gateway.turns.machine import TurnMachine
from media_gateway.turns.types import (
    BeginReply,
    Command,
    CommitReply,
    DropReply,
    FallBack,
    FlushRecogniser,
    HandOver,
    HangUp,
    InterruptReply,
    Ms,
    NoteKey,
    ObeyOrder,
    PauseReply,
    PlayFiller,
    PressKey,
    PromptCaller,
    ResumeReply,
)
from workflows.contracts.payloads import Directive, TurnKind
from workflows.script.events import CallerSilent, DtmfPressed, SupervisorOrdered

log = structlog.get_logger(__name__)


class CommandRunner:
    """One call's. Commands for a turn that is over are passed over; the machine's next deadline knows what follows."""

    def __init__(
        self,
        *,
        machine: TurnMachine,
        record: CallRecord,
        speaker: Speaker,
        replying: Replying,
        listening: Listening,
        clock: StreamClock,
        tasks: CallTasks,
        ended: Callable[[], None],
    ) -> None:
        """`ended` is called when the stream is to be closed by us."""
        self._machine = machine
        self._record = record
        self._speaker = speaker
        self._replying = replying
        self._listening = listening
        self._clock = clock
        self._tasks = tasks
        self._ended = ended
        self.wasted_tokens = 0
        """Of answers begun ahead and dropped."""
        self.order: Directive | None = None
        """Given, and not yet obeyed."""
        self.words_final_at: Ms | None = None
        """When the caller's last final words came that no told turn has answered."""

    def run(self, command: Command) -> None:
        """Carry out one; never waits."""
        match command:
            case FlushRecogniser():
                self._tasks.spawn(self._listening.finalize(), "finalize")
            case BeginReply():
                self._begin(command)
            case CommitReply():
                self._commit(command)
            case DropReply():
                if (turn := self._current(command.reply_id)) is not None:
                    self.drop(turn)
            case PlayFiller():
                if (turn := self._current(command.reply_id)) is not None:
                    self._replying.fill(turn)
            case FallBack():
                if (turn := self._current(command.reply_id)) is not None:
                    self._replying.fall_back(turn)
            case PauseReply():
                if (turn := self._current(command.reply_id)) is not None:
                    self._speaker.pause(turn)
            case ResumeReply():
                if self._current(command.reply_id) is not None:
                    self._speaker.resume()
            case InterruptReply():
                if (turn := self._current(command.reply_id)) is not None:
                    self._cut(turn)
            case PromptCaller():
                turn = self.new_turn(command.reply_id, TurnKind.SILENCE)
                self._replying.recite(turn, CallerSilent())
            case PressKey():
                self._press_key(command)
            case NoteKey():
                self._record.key_pressed(command.digit)
            case ObeyOrder():
                self._obey_order(command)
            case HandOver():
                log.info("call_handed_over")
                self._ended()
            case HangUp():
                self._ended()
            case _:
                assert_never(command)

    def _current(self, reply_id: int) -> AgentTurn | None:
        """The turn that a command means; None when it is over."""
        turn = self._speaker.turn
        return turn if turn is not None and turn.reply_id == reply_id else None

    def new_turn(
        self, reply_id: int, kind: TurnKind, caller_words: str = "", *, is_ahead: bool = False
    ) -> AgentTurn:
        """Begin an agent turn under this id; its words are to be made next."""
        if (left := self._speaker.turn) is not None:
            log.error("turn_left_over", kind=left.kind.value)  # a bug; two never speak at once
            self._cut(left)
        now = self._clock.now()
        turn = AgentTurn(
            reply_id=reply_id,
            kind=kind,
            caller_words=caller_words,
            is_ahead=is_ahead,
            stamps=Stamps(speech_end=now),
        )
        if is_ahead:
            turn.stamps.begun_ahead = now
        else:
            self._stamp_end(turn)
        self._speaker.begin(turn)
        return turn

    def _stamp_end(self, turn: AgentTurn) -> None:
        """The caller's turn is over."""
        now = self._clock.now()
        spoke_last = self._machine.speech_end_at if turn.kind is TurnKind.REPLY else None
        turn.stamps.speech_end = now if spoke_last is None else spoke_last
        turn.stamps.words_final = self.words_final_at
        turn.stamps.end_of_turn = now

    def _begin(self, command: BeginReply) -> None:
        turn = self.new_turn(
            command.reply_id, TurnKind.REPLY, command.caller_words, is_ahead=command.is_ahead
        )
        self._replying.reply(turn)

    def _commit(self, command: CommitReply) -> None:
        turn = self._current(command.reply_id)
        if turn is None or not turn.is_ahead:
            # It came to nothing meanwhile.
            self._begin(BeginReply(reply_id=command.reply_id, caller_words=command.caller_words))
            return
        # Capitals and points: the script decides on moves and slots, never on them.
        turn.caller_words = command.caller_words
        self._stamp_end(turn)
        self._replying.let_out(turn)
        self._speaker.commit(turn)

    def drop(self, turn: AgentTurn) -> None:
        """It was made for nothing, and nobody has seen anything of it."""
        self.wasted_tokens += turn.trace.tokens_written
        self._cut(turn)

    def _cut(self, turn: AgentTurn) -> None:
        self._speaker.cut(turn)
        self._tasks.spawn(silence(turn), "silence")

    def _press_key(self, command: PressKey) -> None:
        turn = self.new_turn(command.reply_id, TurnKind.DTMF, command.caller_words)
        turn.digit = command.digit
        self._recite_fact(turn, DtmfPressed(digit=command.digit))

    def _obey_order(self, command: ObeyOrder) -> None:
        directive, self.order = self.order, None
        if directive is None or directive.order is None:
            raise AssertionError("an order was obeyed that nobody gave")
        turn = self.new_turn(command.reply_id, TurnKind.ORDER, command.caller_words)
        turn.order, turn.order_target = directive.order, directive.target
        order = SupervisorOrdered(order=directive.order, target=directive.target)
        self._recite_fact(turn, order)

    def _recite_fact(self, turn: AgentTurn, event: DtmfPressed | SupervisorOrdered) -> None:
        """A fact, whether the answer to it is heard or not."""
        self._replying.recite(turn, event)
        self._speaker.tell(turn)
