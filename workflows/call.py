"""One call, durably: its script, its turns, who carries its audio, and what has to be true once it is over.

The workflow never speaks. The gateway runs the same script and tells of every turn; here each turn is run again, and
what must last is done: do-not-call entries, the appointment, the CRM row.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows import activity_calls, policies
    from workflows.carrier_errors import DialProblem, of_end
    from workflows.carrier_view import CarrierView
    from workflows.contracts.activities import (
        CALL_NOT_PLACED,
        SCRIPT_REFUSED,
        Callee,
        FoundCall,
        NotPlaced,
    )
    from workflows.contracts.payloads import (
        AfterStream,
        AnsweredBy,
        Attached,
        AttachRequest,
        CallInput,
        CallResult,
        CallSnapshot,
        CarrierStatus,
        CarrierUpdate,
        Direction,
        HeardTurn,
        MediaLost,
        NextStep,
        PostCall,
        RecordingUpdate,
        StreamEnded,
        SuperviseAnswer,
        SuperviseRequest,
        TurnCompleted,
        TurnKind,
    )
    from workflows.media_streams import MediaStreams
    from workflows.recording import Recorder
    from workflows.script.events import CallEnded, Order, SupervisorOrdered
    from workflows.script.machine import advance, initial_state
    from workflows.script.model import Outcome, Script
    from workflows.script.moves import why_not_forced
    from workflows.script.parse import ScriptError, compiled_script
    from workflows.search_attributes import (
        ATTEMPT,
        CALL_DIRECTION,
        CALL_OUTCOME,
        CALL_STAGE,
        CAMPAIGN_ID,
        LEAD_ID,
        NEEDS_REVIEW,
        SCRIPT_ID,
        TURNS,
    )
    from workflows.supervision import MediaOwner, Supervision
    from workflows.transcript import agent_words, current_details, transcript_of
    from workflows.turn_book import TurnBook

HISTORY_TURNS = 8
"""Past turns that a gateway gets when it takes a call over."""
E164 = re.compile(r"\+[1-9]\d{4,14}")


@workflow.defn
class CallWorkflow:
    """One attempt to call one person, or one call that came in."""

    @workflow.init
    def __init__(self, call: CallInput) -> None:
        self._call = call
        self._script: Script | None = None
        self._script_yaml = ""
        self._book: TurnBook | None = None
        self._today = ""
        self._carrier = CarrierView()
        self._carrier.call_sid = call.call_sid
        self._answered_by = ""
        self._streams = MediaStreams(most_resumes=call.most_resumes, now=workflow.now())
        self._is_handed_over = False
        self._supervision = Supervision(call.call_id, self._end_at_carrier)
        self._recorder = Recorder(call.call_id)
        self._refusal = NotPlaced()
        self._needs_review = False
        self._shown_stage = ""
        self._last_sign = workflow.now()
        self._hang_up_due: datetime | None = None
        self._opt_out_is_recorded = False
        self._is_done = False
        self._failure = ""
        self._outcome = Outcome.HUNG_UP

    # --- the call's life ---------------------------------------------------------------------

    @workflow.run
    async def run(self, call: CallInput) -> CallResult:
        """Load, dial, watch over the call to its end, then see to what must last."""
        self._show_what_is_known()
        await self._prepare()
        opting_out = asyncio.create_task(self._record_opt_out())
        directing = asyncio.create_task(self._direct())
        recording = asyncio.create_task(
            self._recorder.run(lambda: self._is_recorded, lambda: self._carrier.call_sid)
        )
        try:
            await self._dial()
            if not self._is_cancelled:
                await self._until_over()
        except (asyncio.CancelledError, ActivityError) as error:
            if not is_cancelled_exception(error):
                raise
        finally:
            directing.cancel()
            # The carrier ends a recording with its call.
            recording.cancel()
        result = await self._uncancelled(self._wrap_up())
        opting_out.cancel()
        if self._is_cancelled:
            raise asyncio.CancelledError
        return result

    async def _wrap_up(self) -> CallResult:
        """What has to be true once the call is over, however it came to be."""
        if self._is_cancelled and not self._carrier.is_over:
            # Whoever cancels the workflow means the call: nobody is left on a line that nothing watches.
            self._failure = "the workflow was cancelled"
            await self._end_at_carrier()
        self._close_script()
        post_call = await self._read_call()
        if post_call is not None and post_call.outcome == Outcome.OPTED_OUT.value:
            self._opt_out_after_all()
        await self._recorder.told()
        result = self._result(post_call)
        await activity_calls.write_outcome(self._call, result)
        # A late message may still say it, up to the last moment.
        await workflow.wait_condition(
            lambda: (
                workflow.all_handlers_finished()
                and (self._opt_out_is_recorded or not self._wants_no_calls)
            )
        )
        return result

    async def _uncancelled(self, work: Coroutine[Any, Any, CallResult]) -> CallResult:
        """Let it finish, whenever the cancellation comes."""
        task = asyncio.create_task(work)
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                continue
        return task.result()

    @property
    def _is_cancelled(self) -> bool:
        return workflow.cancellation_reason() is not None

    def _show_what_is_known(self) -> None:
        call = self._call
        workflow.upsert_search_attributes(
            [
                CALL_DIRECTION.value_set(call.direction.value),
                SCRIPT_ID.value_set(call.script_id),
                TURNS.value_set(0),
                ATTEMPT.value_set(call.attempt),
                NEEDS_REVIEW.value_set(False),
                *([CAMPAIGN_ID.value_set(call.campaign_id)] if call.campaign_id else []),
                *([LEAD_ID.value_set(call.lead_id)] if call.lead_id else []),
            ]
        )
        self._describe()

    async def _prepare(self) -> None:
        """Script and callee, side by side. A script that is refused fails the workflow with the reason."""
        loading = asyncio.create_task(activity_calls.load_script(self._call))
        callee = await self._look_up()
        loaded = await loading
        try:
            self._script = compiled_script(loaded.yaml)
        except ScriptError as error:
            # An activity of another build found it sound.
            raise ApplicationError(str(error), type=SCRIPT_REFUSED, non_retryable=True) from error
        self._script_yaml = loaded.yaml
        facts = {**callee.facts, **self._call.facts}
        self._today = callee.today
        state = replace(initial_state(self._script, facts), today=callee.today)
        self._book = TurnBook(self._script, state, callee.today)
        self._last_sign = workflow.now()
        self._describe()

    async def _look_up(self) -> Callee:
        try:
            return await activity_calls.look_up_callee(self._call)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("the CRM did not answer in time; the call goes on without it")
            return Callee(today=workflow.now().date().isoformat())

    async def _dial(self) -> None:
        """Dial at most once. The history's own entry of the dialling activity is the intent."""
        call = self._call
        if call.direction is Direction.INBOUND:
            # Its end may have been told already, while no worker was there.
            self._carrier.status = self._carrier.status or CarrierStatus.IN_PROGRESS
            return
        began = workflow.now()
        try:
            placed = await activity_calls.place_call(call)
            self._adopt(placed.call_sid)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == CALL_NOT_PLACED:
                self._not_placed(str(cause.message), _detail_of(cause))
            else:
                await self._reconcile(began)

    async def _reconcile(self, began: datetime) -> None:
        """The carrier's answer was lost: its first callback carries our id, else its list of calls is asked."""
        try:
            await workflow.wait_condition(
                lambda: bool(self._carrier.call_sid), timeout=policies.CARRIER_WORD_WITHIN
            )
        except TimeoutError:
            found = await self._find_call(began)
            if self._carrier.call_sid:
                return
            if found.call_sid:
                self._adopt(found.call_sid)
            else:
                self._not_placed(
                    "the carrier's answer was lost, and it knows of no such call",
                    NotPlaced(problem=DialProblem.CARRIER_TROUBLE),
                )

    async def _find_call(self, began: datetime) -> FoundCall:
        """Ask the carrier for its calls; its late callback is as good an answer."""
        finding = asyncio.create_task(activity_calls.find_call(self._call, began))
        await workflow.wait_condition(lambda: finding.done() or bool(self._carrier.call_sid))
        if not finding.done():
            finding.cancel()
            return FoundCall()
        try:
            return finding.result()
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("the carrier could not be asked for its calls")
            return FoundCall()

    def _adopt(self, call_sid: str) -> None:
        self._carrier.adopt(call_sid)
        self._last_sign = workflow.now()

    def _not_placed(self, reason: str, refusal: NotPlaced) -> None:
        self._failure = reason
        self._refusal = refusal
        self._carrier.status = CarrierStatus.FAILED

    async def _until_over(self) -> None:
        """Until the carrier says that the call is over, or a deadline makes us end it."""
        began = workflow.now()
        while not self._carrier.is_over:
            deadline = min(self._deadlines(began))
            if workflow.now() >= deadline:
                await self._end_at_carrier()
                break
            try:
                # A deadline that moved on is looked at when the old one comes: a timer that every turn set anew would
                # cost two events of the history each time.
                await workflow.wait_condition(
                    lambda deadline=deadline: (  # type: ignore[misc]
                        self._carrier.is_over or min(self._deadlines(began)) < deadline
                    ),
                    timeout=deadline - workflow.now(),
                    timeout_summary="watch over the call",
                )
            except TimeoutError:
                continue
        if self._streams.is_open:
            try:
                await workflow.wait_condition(
                    lambda: not self._streams.is_open, timeout=policies.LAST_TURN_WITHIN
                )
            except TimeoutError:
                workflow.logger.warning("the gateway's last word did not come")

    def _deadlines(self, began: datetime) -> list[datetime]:
        call = self._call
        deadlines = [began + timedelta(seconds=call.longest_call_s)]
        if self._is_handed_over:
            pass  # People talk to each other now; no sign of ours comes any more.
        elif self._carrier.was_answered or self._streams.count:
            deadlines.append(self._last_sign + timedelta(seconds=call.silence_timeout_s))
        else:
            # The carrier gives up by itself after the ring timeout; this is for one that does not.
            deadlines.append(began + timedelta(seconds=call.ring_timeout_s + 30))
        if self._hang_up_due is not None:
            deadlines.append(self._hang_up_due)
        return deadlines

    async def _end_at_carrier(self) -> None:
        if not self._carrier.call_sid:
            self._not_placed(
                "the carrier never spoke of the call",
                NotPlaced(problem=DialProblem.CARRIER_TROUBLE),
            )
            return
        try:
            ended = await activity_calls.end_call(self._carrier.call_sid)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("the call could not be ended at the carrier")
            self._failure = "the carrier could not be told to end the call"
            self._review()
            return
        self._carrier.take(
            CarrierUpdate(
                call_sid=self._carrier.call_sid,
                status=CarrierStatus(ended.status),
                duration_s=ended.duration_s,
            )
        )

    # --- what must last ----------------------------------------------------------------------

    @property
    def _wants_no_calls(self) -> bool:
        return self._book is not None and self._book.wants_no_calls

    @property
    def _is_recorded(self) -> bool:
        return self._book is not None and self._book.is_recorded

    async def _record_opt_out(self) -> None:
        """The do-not-call entry, as soon as it is wanted and before the line is given up."""
        await workflow.wait_condition(lambda: self._wants_no_calls)
        while not self._opt_out_is_recorded:
            try:
                await activity_calls.record_do_not_call(self._call)
                self._opt_out_is_recorded = True
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                workflow.logger.error("the do-not-call entry could not be written for a week")

    def _opt_out_after_all(self) -> None:
        """Said with the last words, perhaps, when nothing could answer any more: the report on the call found it."""
        if self._book is None or self._wants_no_calls:
            return
        self._book.wants_no_calls = True
        self._outcome = Outcome.OPTED_OUT
        workflow.upsert_search_attributes([CALL_OUTCOME.value_set(self._outcome.value)])

    def _close_script(self) -> None:
        if self._script is None or self._book is None:
            raise AssertionError("a call ends after its script was loaded")
        if (unanswered := self._carrier.outcome()) is not None and not self._book.turns:
            self._outcome = unanswered
        else:
            state = self._book.state
            if state.outcome is None and self._line_was_ours_to_lose:
                state = replace(state, outcome=Outcome.CUT_OFF)
                self._review()
            self._book.state, _ = advance(self._script, state, CallEnded())
            self._outcome = self._book.state.outcome or Outcome.HUNG_UP
        if self._book.has_gap:
            self._review()
        self._is_done = True
        self._supervision.nobody_is_there()
        self._describe()
        workflow.upsert_search_attributes(
            [
                CALL_OUTCOME.value_set(self._outcome.value),
                CALL_STAGE.value_set(self._book.state.stage),
                TURNS.value_set(len(self._book.turns)),
            ]
        )

    @property
    def _line_was_ours_to_lose(self) -> bool:
        """We gave up taking it up again, or a gateway died and no other told of the end: the caller did not hang up."""
        return self._streams.has_given_up or self._streams.is_open

    async def _read_call(self) -> PostCall | None:
        book = self._book
        if book is None or not any(turn.caller_words for turn in book.turns):
            return None
        try:
            return await activity_calls.read_call(
                transcript_of(book.turns), self._outcome, book.state
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("no report on this call: the model could not be asked")
            return None

    def _result(self, post_call: PostCall | None) -> CallResult:
        book = self._book
        if book is None or self._script is None:
            raise AssertionError("a call ends after its script was loaded")
        return CallResult(
            call_id=self._call.call_id,
            call_sid=self._carrier.call_sid,
            outcome=self._outcome,
            carrier_status=self._carrier.status.value if self._carrier.status else "",
            stage=book.state.stage,
            slots=book.state.slots,
            objections=book.state.objections,
            turns=book.turns,
            appointment_at=book.appointment_at,
            call_back_when=book.state.call_back_when,
            post_call=post_call,
            duration_s=self._carrier.duration_s,
            failure=self._failure,
            script_hash=self._script.content_hash,
            resumes=self._streams.resumes,
            needs_review=self._needs_review,
            problem=self._problem,
            carrier_code=self._refusal.carrier_code,
            sip_code=self._carrier.sip_code,
            retry_after_s=self._refusal.retry_after_s,
            recording=self._recorder.result,
        )

    @property
    def _problem(self) -> str:
        if self._book is not None and self._book.turns:
            return ""
        return self._refusal.problem or of_end(self._carrier.status, self._carrier.sip_code) or ""

    # --- updates: somebody waits for the answer -----------------------------------------------

    @workflow.update
    async def attach(self, request: AttachRequest) -> Attached:
        """Give the call's audio to this stream; every older stream is fenced off."""
        self._streams.knock(request.nonce)
        await workflow.wait_condition(lambda: self._book is not None)
        book = self._book
        if book is None or self._carrier.is_over or self._is_done:
            raise ApplicationError("the call is over", type="AttachRefused")
        if self._streams.is_over(request.nonce):
            # It came too late: the carrier has given that stream up.
            raise ApplicationError("the stream has ended", type="AttachRefused")
        if not self._carrier.adopt(request.call_sid):
            raise ApplicationError("another call owns this script", type="AttachRefused")
        if book.state.outcome is not None:
            # What follows is asked when this stream ends.
            raise ApplicationError("the script is over", type="AttachRefused")
        book.new_epoch()
        self._supervision.stream_began()
        now = workflow.now()
        self._streams.attach(request.nonce, book.epoch, request.gateway_id, now)
        self._hang_up_due = None
        self._last_sign = workflow.now()
        self._describe()
        return Attached(
            epoch=book.epoch,
            next_seq=book.next_seq,
            script_yaml=self._script_yaml,
            state=book.state,
            today=self._today,
            facts=book.state.facts,
            resumed=any(turn.kind is not TurnKind.HANG_UP for turn in book.turns),
            history=[
                HeardTurn(caller_words=turn.caller_words, agent_words=agent_words(turn))
                for turn in book.turns[-HISTORY_TURNS:]
            ],
        )

    @attach.validator
    def _may_attach(self, request: AttachRequest) -> None:
        if self._streams.is_known(request.nonce):
            raise ApplicationError("this stream token was used before", type="AttachRefused")
        if self._carrier.is_over or self._is_done:
            raise ApplicationError("the call is over", type="AttachRefused")
        if self._carrier.call_sid and self._carrier.call_sid != request.call_sid:
            raise ApplicationError("another call owns this script", type="AttachRefused")

    @workflow.update
    async def stream_ended(self, ended: StreamEnded) -> AfterStream:
        """The carrier asks what comes after the media stream. The same question twice gets the same answer."""
        if (known := self._streams.answer_to(ended.nonce)) is not None:
            return known
        self._last_sign = workflow.now()
        self._streams.is_open = False
        answer = await self._after_stream(ended)
        self._streams.remember(ended.nonce, answer)
        self._describe()
        return answer

    async def _after_stream(self, ended: StreamEnded) -> AfterStream:
        await workflow.wait_condition(lambda: self._book is not None or self._is_done)
        book = self._book
        if book is None or not self._carrier.adopt(ended.call_sid):
            return AfterStream(step=NextStep.HANG_UP)
        if self._wants_no_calls:
            await self._opt_out_recorded()
        if book.state.transfer_to:
            self._is_handed_over = True
            return AfterStream(step=NextStep.DIAL, number=book.state.transfer_to)
        if book.state.outcome is not None or self._carrier.is_over:
            self._hang_up_due = workflow.now() + policies.HANG_UP_WITHIN
            return AfterStream(step=NextStep.HANG_UP)
        answer = self._streams.go_on(ended.nonce, workflow.now())
        if answer.step is NextStep.APOLOGISE:
            self._hang_up_due = workflow.now() + policies.HANG_UP_WITHIN
        return answer

    async def _opt_out_recorded(self) -> None:
        try:
            await workflow.wait_condition(
                lambda: self._opt_out_is_recorded, timeout=policies.OPT_OUT_WITHIN
            )
        except TimeoutError:
            workflow.logger.error("the do-not-call entry is late; it is still being written")

    @workflow.update
    async def supervise(self, request: SuperviseRequest) -> SuperviseAnswer:
        """A person takes the call in hand: force a stage, take over, transfer, hang up."""
        self._review()
        number = self._supervision.put(request)
        answers = self._supervision.answers
        await workflow.wait_condition(lambda: number in answers)
        return answers[number]

    @supervise.validator
    def _may_supervise(self, request: SuperviseRequest) -> None:
        script = self._script
        if script is None or self._book is None:
            raise ApplicationError("the script is not loaded yet", type="OrderRefused")
        if self._is_done or self._carrier.is_over:
            raise ApplicationError("the call is over", type="OrderRefused")
        if not self._streams.count and request.order is not Order.HANG_UP:
            raise ApplicationError(
                "nobody has answered yet: only hang_up makes sense", type="OrderRefused"
            )
        if self._supervision.is_full:
            raise ApplicationError("too many orders wait already", type="OrderRefused")
        if request.order is Order.FORCE_STAGE:
            reason = why_not_forced(script, self._book.state, request.stage)
            if reason:
                raise ApplicationError(reason, type="OrderRefused")
        if request.number and not E164.fullmatch(request.number):
            raise ApplicationError("number must be E.164, like +12125550142", type="OrderRefused")
        if request.order is Order.TAKE_OVER and not request.number:
            raise ApplicationError("take_over needs the supervisor's number", type="OrderRefused")
        if request.order is Order.TRANSFER and not (request.number or script.transfer_to):
            raise ApplicationError(
                "the script has no transfer_to: give a number", type="OrderRefused"
            )

    async def _direct(self) -> None:
        """Tell the gateway what it has to be told, one thing after the other, for as long as the call lives."""
        while True:
            await workflow.wait_condition(
                lambda: (
                    self._supervision.has_orders
                    or (self._book is not None and self._book.is_out_of_step)
                )
            )
            if self._book is None:
                continue
            owner = MediaOwner(
                gateway_id=self._streams.gateway_id,
                call_sid=self._carrier.call_sid,
                is_open=self._streams.is_open,
                was_ever=self._streams.count > 0,
            )
            if self._book.is_out_of_step:
                self._review()
                await self._supervision.correct(self._book, owner)
            elif await self._supervision.carry_out_next(self._book, owner):
                self._streams.is_open = False
                self._is_handed_over = bool(self._book.state.transfer_to)
            self._last_sign = workflow.now()
            self._describe()

    def _review(self) -> None:
        """Somebody should look at this call."""
        if not self._needs_review:
            self._needs_review = True
            workflow.upsert_search_attributes([NEEDS_REVIEW.value_set(True)])

    # --- signals: past facts, in any order, maybe twice ----------------------------------------

    @workflow.signal
    def turn_completed(self, turn: TurnCompleted) -> None:
        """One turn, once its answer begins to be heard."""
        if self._book is None:
            return  # no stream can have attached yet
        if (
            turn.kind is TurnKind.ORDER
            and turn.order is not None
            and turn.epoch == self._book.epoch
        ):
            order = SupervisorOrdered(order=turn.order, target=turn.order_target)
            self._supervision.told(order)
        if not self._book.take(turn):
            return
        self._last_sign = workflow.now()
        if self._book.is_out_of_step:
            workflow.logger.error("gateway and workflow differ", extra={"turn": turn.seq})
        if self._book.state.refused >= policies.REFUSALS_TO_REVIEW:
            self._review()
        self._describe()
        self._show_stage()

    def _show_stage(self) -> None:
        """Calls are found by their stage. An upsert is an event of the history: a turn that stays costs none."""
        book = self._book
        if book is not None and book.state.stage != self._shown_stage:
            self._shown_stage = book.state.stage
            workflow.upsert_search_attributes(
                [TURNS.value_set(len(book.turns)), CALL_STAGE.value_set(book.state.stage)]
            )

    @workflow.signal
    def carrier_status(self, update: CarrierUpdate) -> None:
        """A status callback."""
        if self._carrier.take(update):
            self._last_sign = workflow.now()
            self._describe()

    @workflow.signal
    def answered_by(self, verdict: AnsweredBy) -> None:
        """The verdict of answering machine detection."""
        if self._carrier.adopt(verdict.call_sid):
            self._answered_by = verdict.answered_by

    @workflow.signal
    def recording_status(self, update: RecordingUpdate) -> None:
        """A recording's status callback."""
        if self._carrier.adopt(update.call_sid):
            self._recorder.take(update)

    @workflow.signal
    def media_lost(self, lost: MediaLost) -> None:
        """A stream's socket closed."""
        if self._book is not None and lost.heard is not None:
            self._book.hear(lost.heard, lost.epoch)
        if self._book is not None and lost.epoch == self._book.epoch:
            self._streams.is_open = False
            self._last_sign = workflow.now()
            self._describe()

    # --- looking at it -------------------------------------------------------------------------

    @workflow.query
    def snapshot(self) -> CallSnapshot:
        """The call as it stands. Fails while the script is not loaded."""
        book, script = self._book, self._script
        if book is None or script is None:
            raise ApplicationError("the script is not loaded yet", type="NotReady")
        return CallSnapshot(
            call_id=self._call.call_id,
            script_id=script.script_id,
            script_hash=script.content_hash,
            call_sid=self._carrier.call_sid,
            carrier_status=self._carrier.status.value if self._carrier.status else "",
            answered_by=self._answered_by,
            epoch=book.epoch,
            state=book.state,
            turns=book.turns,
            ignored_signals=book.ignored.total(),
            ignored=dict(book.ignored),
            appointment_at=book.appointment_at,
            is_over=self._is_done,
            resumes=self._streams.resumes,
            needs_review=self._needs_review,
            gateway_id=self._streams.gateway_id,
            recording=self._recorder.result,
        )

    def _describe(self) -> None:
        book = self._book
        workflow.set_current_details(
            current_details(
                book.state if book else None,
                book.turns if book else [],
                carrier_status=self._carrier.status.value if self._carrier.status else "",
                gateway_id=self._streams.gateway_id,
                resumes=self._streams.resumes,
                ignored=book.ignored.total() if book else 0,
                needs_review=self._needs_review,
            )
        )


def _detail_of(refusal: ApplicationError) -> NotPlaced:
    """What the activity said of a dial that was refused; one of an older release said nothing."""
    detail = refusal.details[0] if refusal.details else None
    if not isinstance(detail, dict):
        return NotPlaced()
    return NotPlaced(
        problem=str(detail.get("problem", "")),
        carrier_code=int(detail.get("carrier_code", 0)),
        retry_after_s=float(detail.get("retry_after_s", 0)),
    )
