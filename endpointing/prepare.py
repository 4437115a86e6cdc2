"""Prepares what takes time: real pauses as the sound model hears them, their words, and turns read aloud."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from endpointing import data, text_model
from endpointing.channel import LINE_HZ
from endpointing.meetings import pauses
from endpointing.sound_examples import Clip, Heard, hear, noises
from endpointing.speech_states import SpeechStates

WORK = Path("var/endpointing")
COPIES = 6
"""Of each real pause, each through another line."""
READ_ALOUD = 400
LONGEST_WORDS_S = 12
"""Of sound before a pause that the recogniser is asked about."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Pauses of one kind of source: once clean, and as training hears them."""

    source: list[str]
    length_s: npt.NDArray[np.float64]
    """Of the pauses themselves; zeros where the end of the clip is all there is."""
    words: list[str | None]
    """Up to each pause; None where nobody knows them."""
    clean: Heard
    varied: Heard

    @property
    def is_end(self) -> npt.NDArray[np.bool_]:
        """A pause's outcome."""
        return self.clean.is_end


def prepare(folder: Path, say: Say) -> None:
    """Everything that training and evaluation read, into `WORK`."""
    data.check(folder)
    WORK.mkdir(parents=True, exist_ok=True)
    states = SpeechStates()
    noise = noises(folder / data.NOISE.path)
    real = pauses(folder / data.MEETINGS.path, states)
    say(f"meetings: {sum(not p.is_end for p in real)} holds, {sum(p.is_end for p in real)} ends")
    clips = [Clip(source=f"ami/{p.company}", before=p.before, is_end=p.is_end) for p in real]
    lengths = [p.length_s for p in real]
    keep(
        WORK / "meetings.npz",
        clips,
        lengths,
        recognised([p.before for p in real], say),
        states,
        noise,
        COPIES,
    )

    from endpointing.spoken_turns import read_aloud

    told = text_model.read(folder)
    spoken = read_aloud(
        [turn for turn in told.dialogues if not turn.is_held_out], READ_ALOUD, WORK / "spoken"
    )
    say(f"read aloud: {len(spoken)} turns and beginnings of turns")
    clips = [Clip(source=f"spoken/{s.voice}", before=s.samples, is_end=s.is_end) for s in spoken]
    words: list[str | None] = [s.words for s in spoken]
    keep(WORK / "spoken.npz", clips, [0.0] * len(clips), words, states, noise, 2)


def keep(
    path: Path,
    clips: list[Clip],
    lengths: list[float],
    words: list[str | None],
    states: SpeechStates,
    noise: list[npt.NDArray[np.float32]],
    copies: int,
) -> None:
    """Hear the clips and write what was heard."""
    clean = hear(clips, states, copies=1, noise=[], seed=data.SEED)
    varied = hear(clips, states, copies=copies, noise=noise, seed=data.SEED + 1)
    told = [
        {"source": clips[n].source, "length_s": lengths[n], "words": words[n]} for n in clean.clip
    ]
    rows = {int(n): at for at, n in enumerate(clean.clip)}
    kept = np.array([int(n) in rows for n in varied.clip])
    np.savez(
        path,
        told=np.array(json.dumps(told)),
        clean=clean.features,
        is_end=clean.is_end,
        varied=varied.features[kept],
        varied_is_end=varied.is_end[kept],
        varied_clip=np.array([rows[int(n)] for n in varied.clip[kept]], dtype=np.int64),
    )


def read(name: str) -> Prepared:
    """What `keep` wrote; DataMissing says to prepare first."""
    path = WORK / f"{name}.npz"
    if not path.exists():
        raise data.DataMissing(f"{path} is missing: run python -m endpointing prepare first")
    with np.load(path) as held:
        told = json.loads(str(held["told"]))
        return Prepared(
            source=[one["source"] for one in told],
            length_s=np.array([one["length_s"] for one in told]),
            words=[one["words"] for one in told],
            clean=Heard(
                features=held["clean"],
                is_end=held["is_end"],
                clip=np.arange(len(told), dtype=np.int64),
            ),
            varied=Heard(
                features=held["varied"], is_end=held["varied_is_end"], clip=held["varied_clip"]
            ),
        )


def recognised(befores: Sequence[npt.NDArray[np.float32]], say: Say) -> list[str | None]:
    """The words before each pause by the demo's recogniser; None each when it is not installed."""
    try:
        from rehearsal.recogniser import LocalRecogniser
    except ImportError:
        say("no words before the pauses: the extra `local` (faster-whisper) is not installed")
        return [None] * len(befores)
    recogniser = LocalRecogniser(threads=1)
    return [recogniser.words(before[-LONGEST_WORDS_S * LINE_HZ :]) for before in befores]
