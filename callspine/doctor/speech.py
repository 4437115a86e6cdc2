"""Checks the voice and the recogniser with each other: one says a sentence, the other has to hear it."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from difflib import SequenceMatcher
from time import perf_counter

from callspine.doctor.findings import AilingError, Check, State, Told
from callspine.settings import PREFIX
from media_gateway.errors import VendorUnavailable
from media_gateway.speech.ports import Recognition, SpeechToText, SpokenAudio, TextToSpeech
from media_gateway.twilio.mulaw import BYTES_PER_MS, FRAME_BYTES, SILENCE

SENTENCE = "Good morning, this is a test of the telephone line."
HEARD_SHARE = 0.6
"""Of its words, in their order: over a telephone's bandwidth a recogniser may miss some."""
SAY_WITHIN_S, HEAR_WITHIN_S = 12.0, 25.0
_QUIET = bytes([SILENCE])
_FRAME_S = 0.02
_AFTER_S, _QUIET_AFTER_S = 5.0, 1.0
"""For the words that follow the audio's end."""
_ACCOUNTS = {"aura": "deepgram"}
"""Whose key and address a product has, where they are not its own."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class Spoken:
    """What a voice made, for the recognisers that wait for it."""

    def __init__(self) -> None:
        self._audio: asyncio.Future[bytes] | None = None

    def _future(self) -> asyncio.Future[bytes]:
        if self._audio is None:
            self._audio = asyncio.get_running_loop().create_future()
        return self._audio

    def is_there(self, mulaw: bytes) -> None:
        """The first voice's counts; empty when a voice gave none."""
        if not self._future().done():
            self._future().set_result(mulaw)

    async def audio(self) -> bytes:
        """Empty when no voice spoke."""
        return await asyncio.shield(self._future())


def voice_check(name: str, voice: TextToSpeech, spoken: Spoken | None) -> Check:
    """Says the sentence. `spoken` is told what it sounds like; None: nobody listens to this voice."""

    async def ask() -> Told:
        mulaw = b""
        try:
            mulaw, first_ms = await _say(voice)
        except VendorUnavailable as error:
            raise AilingError(error.reason, _remedy(name, error.reason)) from None
        finally:
            if spoken is not None:
                spoken.is_there(mulaw)
            await voice.close()
        seconds = len(mulaw) / BYTES_PER_MS / 1000
        if seconds < 0.5 or mulaw.count(SILENCE) > 0.95 * len(mulaw):
            raise AilingError(
                f"{seconds:.1f} s of audio for a sentence, or silence",
                "try another voice or model in the settings",
            )
        return Told(what=f"{seconds:.1f} s of speech; time to its first audio", took_ms=first_ms)

    return Check(
        name=f"voice: {name}",
        ask=ask,
        remedy=_remedy(name, "timeout"),
        within_s=SAY_WITHIN_S,
    )


async def _say(voice: TextToSpeech) -> tuple[bytes, float]:
    speech = await voice.begin()
    began_s = perf_counter()
    await speech.say(0, SENTENCE)
    await speech.finish()
    audio, first_ms = bytearray(), 0.0
    async for item in speech:
        if isinstance(item, SpokenAudio) and item.mulaw:
            first_ms = first_ms or (perf_counter() - began_s) * 1000
            audio += item.mulaw
    return bytes(audio), first_ms


def recogniser_check(name: str, recogniser: SpeechToText, spoken: Spoken) -> Check:
    """Hears the sentence at the speed of speech, as a call would, and its words are compared."""

    async def ask() -> Told:
        try:
            stream = await recogniser.open(key_terms=())
        except VendorUnavailable as error:
            raise AilingError(error.reason, _remedy(name, error.reason)) from None
        try:
            return await _heard(name, stream, spoken)
        except VendorUnavailable as error:
            raise AilingError(error.reason, _remedy(name, error.reason)) from None
        finally:
            await stream.close()

    return Check(
        name=f"recogniser: {name}",
        ask=ask,
        remedy=_remedy(name, "timeout"),
        within_s=HEAR_WITHIN_S,
    )


async def _heard(name: str, stream: Recognition, spoken: Spoken) -> Told:
    async with asyncio.timeout(SAY_WITHIN_S):
        mulaw = await spoken.audio()
    words: list[str] = []
    listening = asyncio.create_task(_listen(stream, words))
    answered_s = None
    try:
        await _send(stream, mulaw or _QUIET * FRAME_BYTES * 50)
        asked_s = perf_counter()
        await stream.finalize()
        with suppress(TimeoutError):  # a recogniser may know no flush
            answered_s = await asyncio.wait_for(listening, _AFTER_S if mulaw else _QUIET_AFTER_S)
    finally:
        listening.cancel()
    if mulaw and not words:
        raise AilingError("it takes audio and gives no words", _remedy(name, "no words"))
    if not mulaw:
        return Told(
            what="it takes audio; there was no voice to hear",
            state=State.WARNS,
            remedy="see to the voice first, then ask again",
        )
    share = heard_share(SENTENCE, " ".join(words))
    if share < HEARD_SHARE:
        raise AilingError(
            f"it heard {share:.0%} of a sentence",
            f"try another {PREFIX}{name.split()[0].upper()}_MODEL",
        )
    return Told(
        what=f"heard {share:.0%} of the words; time from the flush to the last of them",
        took_ms=None if answered_s is None else (answered_s - asked_s) * 1000,
    )


async def _send(stream: Recognition, mulaw: bytes) -> None:
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    padded = mulaw + _QUIET * (FRAME_BYTES * 10)
    for start in range(0, len(padded), FRAME_BYTES):
        stream.send(padded[start : start + FRAME_BYTES])
        due_s += _FRAME_S
        await asyncio.sleep(max(0.0, due_s - loop.time()))


async def _listen(stream: Recognition, words: list[str]) -> float:
    """Collect final words up to those that the flush asked for; returns when these came."""
    async for transcript in stream:
        if transcript.is_final and transcript.text:
            words.append(transcript.text)
        if transcript.from_finalize:
            break
    return perf_counter()


def heard_share(said: str, heard: str) -> float:
    """How much of the said words was heard in their order, 0 to 1. Capitals and points do not count."""
    wanted, got = _WORD.findall(said.lower()), _WORD.findall(heard.lower())
    matching = SequenceMatcher(None, wanted, got, autojunk=False).get_matching_blocks()
    return sum(block.size for block in matching) / len(wanted) if wanted else 0.0


def _remedy(name: str, reason: str) -> str:
    product, *fallback = name.split()
    variable = f"{PREFIX}{_ACCOUNTS.get(product, product).upper()}"
    model = f"{PREFIX}{product.upper()}_MODEL"
    address = f"{variable}_FALLBACK_URL" if fallback else f"{variable}_BASE_URL"
    if "HTTP 401" in reason or "HTTP 403" in reason:
        return f"the key is refused: set {variable}_API_KEY to one of your account"
    if "HTTP 429" in reason or "HTTP 402" in reason:
        return "the account's limit or credit is used up: see the vendor's console"
    if "HTTP" in reason or "error" in reason.lower():
        return f"see that {address} and {model} are right, and the network's way there is open"
    return f"see {address}, the network's way there, and the vendor's status page"
