"""The hand-written answers of probes.yaml, as examples of equal weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from endpointing.pauses_in_text import Place
from endpointing.text_examples import Example
from media_gateway.ears.ports import Expectation


def probes() -> list[Example]:
    """Each answer that is over or is not."""
    entries: list[dict[str, Any]] = yaml.safe_load(
        Path(__file__).with_name("probes.yaml").read_text(encoding="utf-8")
    )
    return [
        Example(
            dialogue=f"probes/{number}",
            question=entry["question"],
            expectation=Expectation(entry["expectation"]),
            words=str(words),
            place=place,
            weight=1.0,
        )
        for number, entry in enumerate(entries)
        for label, place in (("end", Place.END), ("hold", Place.INSIDE))
        for words in entry[label]
    ]
