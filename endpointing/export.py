"""Writes the trained model as the ONNX files that the gateway carries, and checks that they compute the same."""

from __future__ import annotations

from pathlib import Path

from endpointing import graphs
from endpointing.train import EndOfTurn
from media_gateway.ears.end_model import MODELS, VERSION

LARGEST_BYTES = 3_000_000
LICENCES = (
    "Apache-2.0; trained on Taskmaster-3/-4 (CC BY 4.0), CLINC150 (CC BY 3.0), AMI (CC BY 4.0), ESC-10 (CC BY 3.0) "
    "and word vectors of all-MiniLM-L6-v2 (Apache-2.0)"
)


def export(model: EndOfTurn, folder: Path = MODELS, *, version: str = VERSION) -> list[Path]:
    """The files; ValueError when they are too large to be shipped."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"version": version, "licence": LICENCES}
    text, sound, hazard = (
        folder / f"end_of_turn_{part}_{version}.onnx" for part in ("text", "sound", "hazard")
    )
    graphs.write_text(text, model.text.words, model.text.weights, metadata)
    graphs.write_sound(sound, model.sound, metadata)
    graphs.write_hazard(hazard, model.hazard, metadata)
    files = [text, sound, hazard]
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST_BYTES:
        raise ValueError(f"the model's files have {size} bytes; {LARGEST_BYTES} may be shipped")
    return files
