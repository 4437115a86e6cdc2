"""Our own router: the embedding that retrieval computes anyway, and a small head on it. No torch, no network."""

from __future__ import annotations

from typing import Protocol

from media_gateway.prefetch import plain_words
from media_gateway.routing.head import Floats, Head, features

NAME = "callspine"


class Router(Protocol):
    """RouteLLM's interface of a router."""

    def calculate_strong_win_rate(self, prompt: str) -> float:
        """0 to 1: how likely the strong model's answer is the better one. May block."""


class Embeds(Protocol):
    """Sentence embeddings."""

    async def embed(self, text: str) -> Floats:
        """`[384]`, length 1; off the loop."""

    def embed_now(self, text: str) -> Floats:
        """The same; blocks."""


class EmbeddingRouter:
    """Implements `Router`. Embeddings of words that were looked up before come from the embedder's cache."""

    def __init__(self, embedder: Embeds, head: Head) -> None:
        self._embedder = embedder
        self._head = head

    def calculate_strong_win_rate(self, prompt: str) -> float:
        """See `Router`."""
        words = plain_words(prompt)
        return self._head.win_rate(features(self._embedder.embed_now(words), words))


class OwnChoice:
    """Implements `Choice` with the head alone."""

    def __init__(
        self, embedder: Embeds, head: Head, *, strong: str, fast: str, threshold: float
    ) -> None:
        self._embedder = embedder
        self._head = head
        self._strong, self._fast = strong, fast
        self._threshold = threshold

    async def choose(self, words: str) -> str:
        """See `Choice`."""
        words = plain_words(words)
        return self.of(await self._embedder.embed(words), words)

    def of(self, vector: Floats, words: str) -> str:
        """The choice itself, once the words' embedding is there."""
        is_hard = self._head.win_rate(features(vector, words)) >= self._threshold
        return self._strong if is_hard else self._fast
