"""PURE. Marks that audio carries, so that whoever gets it knows which it is: caller's frames by a stamp, agent's words by a code.

A stamp is in the lowest bits of a frame's first 64 mu-law bytes: some 70 dB below full scale in silence, and below the
noise of the code itself in speech. A word's audio is one millisecond of eight loud bytes, again and again; it is
recognised at any offset, and survives mu-law → linear → mu-law.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

FRAME = 160
BYTES_PER_MS = 8
SILENT = frozenset(b"\xff\x7f\xfe\x7e")
"""Mu-law bytes that nobody hears."""
_MAGIC = 0xA7
_BITS = 64
_CODE = re.compile(rb"\x0a[\x10-\x1f]{7}", re.S)


def stamped(frame: bytes, call: int, index: int) -> bytes:
    """The frame (160 bytes) with its call's number (below 65,536) and its own in it."""
    check = (call * 31 + index * 17) & 0xFFFF
    value = _MAGIC << 56 | (call & 0xFFFF) << 40 | (index & 0xFFFFFF) << 16 | check
    bits = np.unpackbits(np.frombuffer(value.to_bytes(8, "big"), dtype=np.uint8))
    samples = np.frombuffer(frame, dtype=np.uint8).copy()
    samples[:_BITS] = (samples[:_BITS] & 0xFE) | bits
    return samples.tobytes()


def read_stamp(frame: bytes) -> tuple[int, int] | None:
    """Call and frame number; None for audio that carries no stamp."""
    if len(frame) < _BITS:
        return None
    bits = np.frombuffer(frame[:_BITS], dtype=np.uint8) & 1
    value = int.from_bytes(np.packbits(bits).tobytes(), "big")
    call, index, check = value >> 40 & 0xFFFF, value >> 16 & 0xFFFFFF, value & 0xFFFF
    if value >> 56 != _MAGIC or check != (call * 31 + index * 17) & 0xFFFF:
        return None
    return call, index


def first_stamp(audio: bytes) -> int | None:
    """Where in audio that may begin in the middle of a frame the first whole frame with a stamp begins; None: in no place."""
    places = range(max(0, len(audio) - _BITS + 1))
    return next((at for at in places if read_stamp(audio[at : at + _BITS]) is not None), None)


def word_audio(number: int, ms: int) -> bytes:
    """So many milliseconds of a word's sound; its number is below 2^24."""
    nibbles = [(number >> shift) & 0xF for shift in range(20, -1, -4)]
    return bytes([0x0A, *(0x10 | n for n in (*nibbles, _check(nibbles)))]) * ms


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of one word's sound in played audio."""

    word: int
    at_ms: float
    ms: int


def runs(played: bytes) -> Iterator[Run]:
    """The words in played audio, in order. A word that was broken off and said again gives two runs."""
    word, began, ended, count = -1, 0, 0, 0
    for found in _CODE.finditer(played):
        nibbles = [byte & 0xF for byte in found.group()[1:]]
        if _check(nibbles[:6]) != nibbles[6]:
            continue
        number = int("".join(f"{n:x}" for n in nibbles[:6]), 16)
        # Up to a frame of silence may stand inside a word, where the voice was late; more is two runs.
        if number != word or found.start() - ended > 4 * FRAME:
            if count:
                yield Run(word, began / BYTES_PER_MS, count)
            word, began, count = number, found.start(), 0
        ended, count = found.end(), count + 1
    if count:
        yield Run(word, began / BYTES_PER_MS, count)


def is_audible(frame: bytes) -> bool:
    """Whether anything in it can be heard."""
    return not SILENT.issuperset(frame)


def _check(nibbles: list[int]) -> int:
    return (sum(nibbles) * 7 + 3) & 0xF
