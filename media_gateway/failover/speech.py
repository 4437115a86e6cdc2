"""One reply, spoken by the voice that can: another one takes over at once when the first breaks off or is silent.

What goes on between the voices is not seen outside but for `AudioTakenBack`: the words come once each, in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import suppress

import structlog

from media_gateway.errors import VendorUnavailable
from media_gateway.failover.ledger import BYTES_PER_MS, Ledger, Pace, Rest, shifted
from media_gateway.failover.leg import Came, Leg
from media_gateway.failover.patience import FailoverPolicy, Patience
from media_gateway.failover.voices import Voice
from media_gateway.speech.ports import AudioTakenBack, SegmentDone, SpeechItem, SpokenAudio

log = structlog.get_logger(__name__)

MOST_ITEMS_WAITING = 64
"""Pieces of audio that nobody took yet; above it the vendor's adapter keeps them."""
END_WITHIN_S = 0.3
"""For a voice to say that it has given all, when it has."""
MOST_LEGS = 2
"""Voices that are asked at one time."""
BYTES_PER_S = 1000 * BYTES_PER_MS

_LOOK_AGAIN = object()
"""There are new words, or none any more: what is waited for has changed."""
_Event = tuple[Leg, Came]


class FailoverSpeech:
    """One reply; implements Speech. Raises only from the iteration, and there only when no voice is left."""

    def __init__(
        self,
        order: Sequence[Voice],
        policy: FailoverPolicy,
        speaks: Callable[[Voice], None],
        tasks: set[asyncio.Task[None]],
    ) -> None:
        """`order`: whom to ask, the first one at once. `speaks` is told of each voice when it begins to sound.

        `tasks`: whose owner cancels what is left in the end.
        """
        self._tasks = tasks
        self._others = deque(order)
        self._speaks = speaks
        self._patience = Patience(policy)
        self._ledger = Ledger()
        self._events: asyncio.Queue[_Event | object] = asyncio.Queue(MOST_ITEMS_WAITING)
        self._legs: list[Leg] = []
        """All that may still give something, the one asked first at the front."""
        self._speaking: Leg | None = None
        """The one whose audio counts. It may have broken off; then what it gave still counts."""
        self._is_finished = self._is_over = False
        self._has_asked_again = False
        self._troubled_since_s: float | None = None
        self._ask_next()

    # --- Speech ------------------------------------------------------------------------------

    async def say(self, segment: int, text: str) -> None:
        """See Speech."""
        self._ledger.said(segment, text)
        self._patience.wanted(_now_s())
        for leg in list(self._legs):
            try:
                leg.say(segment, text)
            except VendorUnavailable as error:
                await self._came(leg, error)
        self._look_again()

    async def finish(self) -> None:
        """See Speech."""
        self._is_finished = True
        for leg in self._legs:
            leg.finish()
        self._look_again()

    async def cancel(self) -> None:
        """See Speech. Waits until the voices were told, a second at most."""
        self._is_over = True
        dropped = [leg.drop() for leg in self._legs]
        self._legs.clear()
        self._look_again()
        await asyncio.gather(*dropped, return_exceptions=True)

    async def __aiter__(self) -> AsyncGenerator[SpeechItem, None]:
        """See Speech."""
        try:
            while not self._is_over:
                is_all = self._is_finished and not self._ledger.is_pending
                if is_all and not self._legs:
                    return
                if not self._events.empty():
                    event: _Event | object | None = self._events.get_nowait()
                else:
                    due_s = _now_s() + END_WITHIN_S if is_all else self._due_s()
                    try:
                        async with asyncio.timeout_at(due_s):
                            event = await self._events.get()
                    except TimeoutError:
                        if is_all:
                            return
                        event = None
                for item in self._happened(event):
                    if self._is_over:
                        return
                    yield item
        finally:
            self._is_over = True
            for leg in self._legs:
                leg.drop()
            self._legs.clear()

    # --- what comes, and what does not -------------------------------------------------------

    async def _came(self, leg: Leg, came: Came) -> None:
        try:
            self._events.put_nowait((leg, came))
        except asyncio.QueueFull:
            await self._events.put((leg, came))

    def _look_again(self) -> None:
        with suppress(asyncio.QueueFull):  # then it looks anyway
            self._events.put_nowait(_LOOK_AGAIN)

    def _due_s(self) -> float | None:
        due = [self._patience.give_up_due_s]
        if self._others and len(self._legs) < MOST_LEGS:
            due.append(self._patience.next_voice_due_s)
        return min((at_s for at_s in due if at_s is not None), default=None)

    def _happened(self, event: _Event | object | None) -> Iterator[SpeechItem]:
        if self._is_over or event is _LOOK_AGAIN:
            return
        if not isinstance(event, tuple):
            yield from self._too_late()
            return
        leg, came = event
        if leg not in self._legs:
            return
        match came:
            case None:
                yield from self._ended(leg)
            case VendorUnavailable():
                yield from self._broke_off(leg, came)
            case _:
                yield from self._given(leg, came)

    def _given(self, leg: Leg, item: SpeechItem) -> Iterator[SpeechItem]:
        if leg is self._speaking:
            yield from self._book(leg, item)
            return
        leg.held.append(item)
        if isinstance(item, SpokenAudio) and item.mulaw:
            yield from self._takes_over(leg)
            for held in leg.held:
                yield from self._book(leg, held)

    def _book(self, leg: Leg, item: SpeechItem) -> Iterator[SpeechItem]:
        match item:
            case SpokenAudio():
                base_ms = self._ledger.delivered(item.segment, len(item.mulaw), item.words)
                if base_ms is None:
                    return
                self._sounded(len(item.mulaw) / BYTES_PER_S)
                words = shifted(item.words, base_ms) if base_ms else item.words
                yield SpokenAudio(segment=item.segment, mulaw=item.mulaw, words=words)
            case SegmentDone():
                yield from self._done(leg.voice, item.segment)
            case AudioTakenBack():
                yield item

    def _done(self, voice: Voice, segment: int) -> Iterator[SpeechItem]:
        words = self._ledger.done(segment, voice.pace)
        if words:
            yield SpokenAudio(segment=segment, mulaw=b"", words=words)
        yield SegmentDone(segment=segment)
        self._sounded(0.0)

    def _sounded(self, audio_s: float) -> None:
        self._patience.sounded(_now_s(), audio_s, is_pending=self._ledger.is_pending)
        for other in [leg for leg in self._legs if leg is not self._speaking]:
            self._let_go(other)  # asked in vain: the first one goes on

    def _takes_over(self, leg: Leg) -> Iterator[SpeechItem]:
        """Its first audio is here: it is the one that is heard from now on."""
        for other in self._legs[
            : self._legs.index(leg)
        ]:  # of one that was asked later, nothing is known
            other.voice.provider.failed(VendorUnavailable(other.voice.name, "no audio in time"))
        for other in [other for other in self._legs if other is not leg]:
            self._let_go(other)
        self._speaking = leg
        self._speaks(leg.voice)
        leg.voice.provider.succeeded()
        if self._troubled_since_s is not None:
            waited_ms = round(1000 * (_now_s() - self._troubled_since_s))
            log.info("voice_changed", vendor=leg.voice.name, waited_ms=waited_ms)
            self._troubled_since_s = None
        self._ledger.taken_over(leg.rest)
        if (cut := leg.rest.cut) is not None:
            if cut.words:
                yield SpokenAudio(segment=cut.segment, mulaw=b"", words=cut.words)
            yield AudioTakenBack(segment=cut.segment, at_ms=cut.at_ms)

    def _ended(self, leg: Leg) -> Iterator[SpeechItem]:
        """It says that it has given all. All but silence is believed."""
        is_mute = self._ledger.has_mute if leg is self._speaking else self._ledger.has_words
        if is_mute or not self._is_finished:
            ended = VendorUnavailable(leg.voice.name, "ended without audio")
            yield from self._broke_off(leg, ended)
            return
        self._legs.remove(leg)
        for segment in self._ledger.undone:
            yield from self._done(leg.voice, segment)

    def _broke_off(self, leg: Leg, error: VendorUnavailable) -> Iterator[SpeechItem]:
        """A voice failed: the next one says what is left, unless one was asked already. Raises the error for the last."""
        leg.voice.provider.failed(error)
        log.warning("voice_broke_off", vendor=error.vendor, reason=error.reason)
        self._let_go(leg)
        if leg is self._speaking:
            yield from self._only_silence_missing()
        if self._legs or (self._is_finished and not self._ledger.is_pending):
            return
        self._is_in_trouble()
        if not self._ask_next() and not self._ask_again(leg, error):
            raise error

    def _too_late(self) -> Iterator[SpeechItem]:
        """Something is due and did not come: ask the next voice, too. Raises VendorUnavailable when there is none."""
        yield from self._only_silence_missing()
        if not self._ledger.is_pending:
            return
        give_up_s = self._patience.give_up_due_s
        if give_up_s is not None and give_up_s <= _now_s():
            for leg in self._legs:
                error = VendorUnavailable(leg.voice.name, "no audio in time")
                leg.voice.provider.failed(error)
            raise error
        self._is_in_trouble()
        self._patience.asked(_now_s())
        self._ask_next()

    def _only_silence_missing(self) -> Iterator[SpeechItem]:
        """A segment whose words were all delivered is whole, whatever the voice still had to say about it."""
        if self._speaking is None:
            return
        for segment, text in self._rest().parts:
            if not text:
                yield from self._done(self._speaking.voice, segment)

    def _is_in_trouble(self) -> None:
        if self._troubled_since_s is None:
            self._troubled_since_s = _now_s()

    # --- the voices --------------------------------------------------------------------------

    def _rest(self) -> Rest:
        return self._ledger.rest(self._speaking.voice.pace if self._speaking else Pace())

    def _ask_next(self) -> bool:
        """Have the next voice say what is left. False: there is none."""
        if not self._others:
            return False
        leg = Leg(self._others.popleft(), self._rest(), self._came, self._tasks)
        if self._is_finished:
            leg.finish()
        self._legs.append(leg)
        return True

    def _ask_again(self, leg: Leg, error: VendorUnavailable) -> bool:
        """There is nobody else, and what broke may have been but a socket: once a reply its voice says what is left."""
        wants_none = error.is_lasting or error.is_full or error.retry_after_s is not None
        if self._has_asked_again or wants_none or not leg.has_begun:
            return False
        self._has_asked_again = True
        self._others.append(leg.voice)
        return self._ask_next()

    def _let_go(self, leg: Leg) -> None:
        self._legs.remove(leg)
        leg.drop()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
