"""How long the choice between two models takes, and that a turn never waits for it: `python -m bench router`.

The choice is made beside the passages' look-up, on the same words, so their embedding is there. Peer: the embedding itself,
which is computed anyway. Figures without a limit are told for the whole picture.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.report import Row, quantile, report
from media_gateway.knowledge.embedding import Embedder
from media_gateway.prefetch import plain_words
from media_gateway.routing.ahead import RouteAhead
from media_gateway.routing.head import Head
from media_gateway.routing.labels import parse_turns
from media_gateway.routing.own import OwnChoice

LIMIT_MS = 2.0
MODELS = Path("media_gateway/routing/models")


async def _times(words: list[str], act: Callable[[str], Awaitable[object]]) -> list[float]:
    """Milliseconds of each."""
    found = []
    for one in words:
        began = time.perf_counter()
        await act(one)
        found.append((time.perf_counter() - began) * 1000)
    return found


async def main() -> None:
    """Measure, print, write."""
    text = (MODELS / "labelled_turns.jsonl").read_text(encoding="utf-8")
    words = [plain_words(turn.words) for turn in parse_turns(text)]
    embedder, head = Embedder(), Head.load(MODELS / "router.npz")
    choice = OwnChoice(embedder, head, strong="strong", fast="fast", threshold=head.threshold(0.25))
    route = RouteAhead(None)

    async def on_the_spoken_path(one: str) -> str:
        return route.chosen(one)

    rows: list[Row] = []
    measured: dict[str, list[float]] = {}
    await embedder.embed("warm")
    await choice.choose("warm")
    acts: tuple[tuple[str, Callable[[str], Awaitable[object]]], ...] = (
        ("the words' embedding (computed anyway)", embedder.embed),
        ("the choice, with the embedding there", choice.choose),
        ("a turn asking for the choice", on_the_spoken_path),
    )
    for what, act in acts:
        measured[what] = times = await _times(words, act)
        rows.append(
            {
                "what": what,
                "turns": len(times),
                "p50 ms": quantile(times, 0.5),
                "p99 ms": quantile(times, 0.99),
                "max ms": max(times),
            }
        )
    p99 = quantile(measured["the choice, with the embedding there"], 0.99)
    verdict = "HIT" if p99 <= LIMIT_MS else "MISS"
    chosen = [await choice.choose(one) for one in words]
    share = chosen.count("strong") / len(chosen)
    notes = [
        f"the choice, p99 {p99:.2f} ms, limit {LIMIT_MS:.0f}: {verdict}",
        f"{share:.0%} of the labelled turns go to the strong model at a wanted share of 25 % (in sample; see docs/router.md)",
    ]
    report("router", "The choice between two models", rows, notes)
