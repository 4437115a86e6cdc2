"""PURE. How a stream is asked for: path and query of both protocols, and what of the script's key terms they take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

MOST_KEY_TERMS, MOST_KEY_TOKENS = 100, 500
"""Beyond either the service refuses the stream. Its tokens are not ours to count: four letters each, and one a word at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """What is wanted of every stream."""

    model: str = "nova-3"
    endpointing_ms: int = 500
    """Nova's own end of speech. Ours comes sooner and sends `Finalize`: this one is evidence, nothing waits for it."""
    eot_threshold: float = 0.7
    """Flux's confidence that ends a turn."""
    eager_eot_threshold: float | None = None
    """Flux's confidence that tells an eager end, at most `eot_threshold`; None: none are told."""
    eot_timeout_ms: int = 2000
    """Flux ends a turn after this much silence. Less than the turn machine remembers answered words for."""

    @property
    def is_flux(self) -> bool:
        """Which protocol the model speaks."""
        return self.model.startswith("flux-")

    def target(self, key_terms: Sequence[str]) -> str:
        """Path and query."""
        query = self._flux() if self.is_flux else self._nova()
        terms = fitting(plain(key_terms) if self.is_flux else key_terms)
        query += [(self._key_term, term) for term in terms]
        return f"/v{2 if self.is_flux else 1}/listen?{urlencode(query)}"

    @property
    def _key_term(self) -> str:
        return "keywords" if self.model.startswith("nova-2") else "keyterm"

    def _nova(self) -> list[tuple[str, str]]:
        return [
            ("model", self.model),
            ("encoding", "mulaw"),
            ("sample_rate", "8000"),
            ("channels", "1"),
            ("interim_results", "true"),
            ("endpointing", str(self.endpointing_ms)),
            ("utterance_end_ms", "1000"),
            ("vad_events", "true"),
            ("smart_format", "true"),
        ]

    def _flux(self) -> list[tuple[str, str]]:
        query = [
            ("model", self.model),
            ("encoding", "mulaw"),
            ("sample_rate", "8000"),
            ("eot_threshold", str(self.eot_threshold)),
            ("eot_timeout_ms", str(self.eot_timeout_ms)),
        ]
        if self.eager_eot_threshold is not None:
            query.append(("eager_eot_threshold", str(self.eager_eot_threshold)))
        return query


def plain(key_terms: Sequence[str]) -> list[str]:
    """Without the commas and semicolons for which Flux ignores a term and says nothing."""
    return [" ".join(term.replace(",", " ").replace(";", " ").split()) for term in key_terms]


def fitting(key_terms: Sequence[str]) -> list[str]:
    """The first of them that the service takes, each once."""
    taken: dict[str, str] = {}
    tokens = 0
    for term in (term.strip() for term in key_terms):
        if not term or term.casefold() in taken:
            continue
        tokens += sum(math.ceil(len(word) / 4) for word in term.split())
        if len(taken) == MOST_KEY_TERMS or tokens > MOST_KEY_TOKENS:
            break
        taken[term.casefold()] = term
    return list(taken.values())
