"""Whatever happens, and whenever: no call without a deadline, no two replies, no word after the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.turns.table import TRANSITIONS
from media_gateway.turns.types import (
    AgentTurnOpened,
    AgentWords,
    BeginReply,
    Command,
    CommitReply,
    DropReply,
    DtmfHeard,
    EndOfTurnEstimated,
    Event,
    FallBack,
    FinalWords,
    Floor,
    HandOver,
    HandOverDue,
    HangUp,
    InterimWords,
    InterruptReply,
    LineLost,
    ObeyOrder,
    OrderCame,
    PauseReply,
    PlayFiller,
    PressKey,
    PromptCaller,
    RecogniserLost,
    ReplyFailed,
    ReplyPaused,
    ReplyPlayed,
    ReplyStarted,
    ResumeReply,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
    VendorEagerEnd,
    VendorEndOfTurn,
)
from tests.core.turn_driver import POLICY, Driver


@dataclass(frozen=True)
class News:
    """Something of the reply that is open at that time, of one that never was, or of an old one."""

    kind: str
    flag: bool = False
    stray_id: int | None = None

    def of(self, reply_id: int) -> Event:
        reply_id = self.stray_id if self.stray_id is not None else reply_id
        match self.kind:
            case "started":
                return ReplyStarted(reply_id=reply_id, interruptible=self.flag)
            case "played":
                return ReplyPlayed(reply_id=reply_id)
            case "failed":
                return ReplyFailed(reply_id=reply_id)
            case _:
                return AgentWords(reply_id=reply_id, text="so is now a good time for you")


_TEXTS = "|yes|Yes.|uh-huh|um|we own the|no thank you|stop|yes we own it|is now a good time|yeah okay|hello"
_CALLER: list[Event | News] = [
    *[SpeechStarted()] * 12,
    *[SpeechStarted(is_faint=True)] * 3,
    *[SpeechStopped()] * 12,
    *[InterimWords(text=text) for text in _TEXTS.split("|")],
    *[FinalWords(text=text) for text in _TEXTS.split("|")],
    *[EndOfTurnEstimated(p=p) for p in (0.0, 0.3, 0.5, 0.5, 0.6, 0.9, 1.0)],
    VendorEndOfTurn(),
    VendorEndOfTurn(),
    VendorEagerEnd(),
    VendorEagerEnd(is_taken_back=True),
]
_AGENT: list[Event | News] = [
    *[News("started", flag=True)] * 10,
    *[News("started", flag=False)] * 3,
    *[News("played")] * 6,
    *[News("failed")] * 2,
    *[News("words")] * 2,
    *[News(kind, stray_id=n) for kind in ("started", "played", "failed") for n in (0, 2)],
]
_RARE: list[Event | News] = [
    DtmfHeard(digit="9"),
    RecogniserLost(),
    OrderCame(),
    HandOverDue(),
    ReplyPaused(reply_id=2, unheard_ms=0, is_whole=True),
]
_ENDS: list[Event | News] = [ScriptEnded(), LineLost()]
_steps = st.sampled_from([0, 10, 40, 100, 100, 160, 300, 300, 700, 900, 1500, 2600, 9000, 70_000])
_live = st.tuples(_steps, st.sampled_from(_CALLER * 2 + _AGENT * 2 + _RARE))
_streams = st.builds(
    lambda live, end, rest: [*live, *end, *rest],
    st.lists(_live, min_size=15, max_size=70),
    st.lists(st.tuples(_steps, st.sampled_from(_ENDS)), max_size=1),
    st.lists(_live, max_size=8),
)


@dataclass
class Auditor:
    """What a session would trip over."""

    driver: Driver
    open_id: int = 0
    """Of the reply that is made or heard."""
    ahead_id: int = 0
    paused_id: int = 0
    last_id: int = 1
    is_over: bool = False
    resolved: set[int] = field(default_factory=set)

    def see(self, ms: int, command: Command) -> None:
        assert not self.is_over, f"{command} after the end"
        match command:
            case BeginReply(is_ahead=True):
                assert (self.ahead_id, self.open_id) == (0, 0), "two answers at once"
                self._is_new(command.reply_id)
                self.ahead_id = command.reply_id
            case CommitReply():
                assert command.reply_id == self.ahead_id
                self.open_id, self.ahead_id = self.ahead_id, 0
                self._is_resolved_once(command.reply_id)
            case DropReply():
                assert command.reply_id == self.ahead_id
                self.ahead_id = 0
                self._is_resolved_once(command.reply_id)
            case BeginReply() | PromptCaller() | PressKey() | ObeyOrder():
                assert (self.ahead_id, self.open_id) == (0, 0), "two replies at once"
                self._is_new(command.reply_id)
                self.open_id = command.reply_id
            case PauseReply():
                assert (command.reply_id, self.paused_id) == (self.open_id, 0)
                self.paused_id = command.reply_id
            case ResumeReply():
                assert command.reply_id == self.paused_id == self.open_id
                self.paused_id = 0
            case InterruptReply():
                assert command.reply_id == self.open_id
                self.open_id = self.paused_id = 0
            case PlayFiller() | FallBack():
                assert command.reply_id == self.open_id
            case HandOver() | HangUp():
                self.is_over = True
            case _:
                pass

    def told(self, event: Event) -> None:
        """A reply that ended by itself needs no command; `floor` says whether the machine took it so."""
        if isinstance(event, ReplyPlayed | ReplyFailed) and event.reply_id == self.open_id:
            still = self.driver.machine.floor in (Floor.THINKING, Floor.OVERLAP)
            if isinstance(event, ReplyPlayed) or not still:
                self.open_id = self.paused_id = 0

    def _is_new(self, reply_id: int) -> None:
        assert reply_id > self.last_id
        self.last_id = reply_id

    def _is_resolved_once(self, reply_id: int) -> None:
        assert reply_id not in self.resolved
        self.resolved.add(reply_id)


def _play(stream: list[tuple[int, Event | News]], *, unheard_ms: int | None = 2000) -> Driver:
    driver = Driver()
    driver.unheard_ms = unheard_ms
    auditor = Auditor(driver, open_id=1)
    driver.on_command = auditor.see
    driver.at(0, AgentTurnOpened(reply_id=driver.machine.next_reply_id()))
    now = 0
    for step, event in stream:
        now += step
        driver.at(now)
        if isinstance(event, News):
            event = event.of(auditor.open_id or auditor.ahead_id)
        driver.at(now, event)
        auditor.told(event)
        machine = driver.machine
        assert (machine.deadline is None) == (machine.floor is Floor.ENDED)
        assert (
            bool(auditor.paused_id) == (machine.floor is Floor.OVERLAP)
            or auditor.is_over
            or (machine.floor is Floor.ENDED)
        )
        if isinstance(event, LineLost):
            auditor.is_over = True
    return driver


@settings(max_examples=600, deadline=None)
@given(_streams, st.sampled_from([2000, 300, 0, None]))
def test_a_session_can_carry_out_whatever_is_commanded(
    stream: list[tuple[int, Event | News]], unheard_ms: int | None
) -> None:
    driver = _play(stream, unheard_ms=unheard_ms)
    changes = {move for move in driver.moves if move[0] is not move[1]}
    assert changes <= set(TRANSITIONS)
    counts = driver.machine.counts
    begun = [c for _, c in driver.commands(BeginReply) if isinstance(c, BeginReply) and c.is_ahead]
    assert counts.ahead_begun == len(begun)
    assert counts.ahead_dropped == len(driver.commands(DropReply))
    assert counts.ahead_committed == len(driver.commands(CommitReply))


@settings(max_examples=400, deadline=None)
@given(_streams)
def test_no_stream_of_events_leaves_a_call_silent_for_good(
    stream: list[tuple[int, Event | News]],
) -> None:
    driver = _play(stream)
    now = driver.said[-1][0] if driver.said else 0
    now = max(now, sum(step for step, _ in stream))
    # From here on nothing comes. At the worst a reply that never ends is cut, a caller who never stops is cut, and the
    # silence after both is asked about.
    before = len(driver.said)
    driver.at(now + 2 * POLICY.longest_turn_ms + POLICY.silence_ms)
    asked = any(
        isinstance(c, PromptCaller | BeginReply | CommitReply | HangUp)
        for _, c in driver.said[before:]
    )
    assert asked or driver.machine.floor is Floor.ENDED


@settings(max_examples=200, deadline=None)
@given(_streams)
def test_the_same_events_at_the_same_times_give_the_same_commands(
    stream: list[tuple[int, Event | News]],
) -> None:
    assert _play(stream).said == _play(stream).said


@settings(max_examples=300, deadline=None)
@given(_streams)
def test_what_answers_ahead_cost_in_vain_stays_within_the_budget(
    stream: list[tuple[int, Event | News]],
) -> None:
    counts = _play(stream).machine.counts
    allowed = POLICY.waste_share * counts.turns_answered + POLICY.waste_free
    assert counts.ahead_dropped <= allowed + 1
