"""How many talking calls one process carries on one core: CPU by part, the loop's lag, audio's lateness, memory.

Every call talks: the caller for a third of the time, the agent for some four tenths. The gateway has core 0 to itself
and the load core 1 (where there are two). Two passes for each number of calls: one for the figures, one that looks
where the CPU goes, which costs some. CALLSPINE_BENCH_STEPS names the numbers of calls, by commas.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import processes
from bench.density.load import BEAT_S, Figures, LoadCall, Recognisers, beat
from bench.report import OUT, quantile, report
from bench.rig import under_test
from bench.turns.run import UTTERANCES, gateway_doors
from bench.turns.sounds import PITCHES, Sound, Sounds
from bench.turns.truth import Latencies, Truth
from bench.turns.utterances import Book, parse_book
from bench.turns.vendors import serving

STEPS = (1, 10, 50, 100)
BEATS = 2
SAID = ("varies", "monday", "my_calendar", "parents", "husband", "roof_think", "shingles_ten")
TARGETS = "targets: 60 calls on one core, lateness p99 < 20 ms, 1 MB a call"


@dataclass(kw_only=True)
class Step:
    """What was seen with so many calls."""

    calls: int
    cpu: float
    """Of a core."""
    resident_mb: float
    figures: Figures
    lags_ms: list[float]
    parts: dict[str, float]
    """Share of the CPU."""
    load_cpu: float
    others_cpu: float
    """Of everybody else on the machine: figures under another load are no figures."""


async def main() -> None:
    """Measure, print, write."""
    steps = [int(n) for n in os.environ.get("CALLSPINE_BENCH_STEPS", "").split(",") if n] or STEPS
    _pin(os.getpid(), 1)
    plain = await _measure(tuple(steps), looks_inside=False)
    inside = await _measure(tuple(steps), looks_inside=True)
    if not plain or not inside:
        print("nothing was measured: see out/bench/density.log")
        return
    first = plain[0]
    rows = []
    for step in plain:
        more = step.calls - first.calls
        rows.append(
            {
                "calls": step.calls,
                "CPU of a core": step.cpu,
                "CPU ms a call-second": 1000 * step.cpu / step.calls,
                "loop lag p99 ms": _p99(step.lags_ms),
                "lateness p50 ms": quantile(step.figures.late_ms or [0.0], 0.5),
                "lateness p99 ms": _p99(step.figures.late_ms),
                "ran dry": step.figures.dry,
                "replies": step.figures.replies,
                "resident MB": step.resident_mb,
                "MB a call": (step.resident_mb - first.resident_mb) / more if more else 0.0,
                "agent talks %": step.figures.spoken_ms / (10 * step.calls * BEATS * BEAT_S),
                "load's own lateness p99 ms": _p99(step.figures.own_late_ms),
                "load CPU": step.load_cpu,
                "others' CPU": step.others_cpu,
            }
        )
    report("density", "Density: one process, one core", rows, [TARGETS])
    names = [name for name, _ in Counter(inside[-1].parts).most_common()]
    parts = [
        {
            "part": name,
            **{
                f"{plain[n].calls} calls": f"{100 * step.parts.get(name, 0):.0f} % = "
                f"{1000 * plain[n].cpu / plain[n].calls * step.parts.get(name, 0):.2f} ms/s"
                for n, step in enumerate(inside[: len(plain)])
            },
        }
        for name in names
    ]
    report("density.parts", "CPU of a call-second, by part", parts)


async def _measure(steps: tuple[int, ...], *, looks_inside: bool) -> list[Step]:
    truth, figures = Truth(Latencies()), Figures()
    calls: dict[int, LoadCall] = {}
    book = _book()
    sounds = _sounds()
    lags, parts = OUT / "density.lags.jsonl", OUT / "density.parts.jsonl"
    OUT.mkdir(parents=True, exist_ok=True)
    for file in (lags, parts):
        file.unlink(missing_ok=True)
    probe = {"CALLSPINE_BENCH_PARTS": str(parts)} if looks_inside else {}
    loop = asyncio.get_running_loop()
    recognisers = await loop.create_server(Recognisers(calls).accept, "127.0.0.1", 0)
    address = f"127.0.0.1:{recognisers.sockets[0].getsockname()[1]}"
    found: list[Step] = []
    async with AsyncExitStack() as running:
        running.callback(recognisers.close)
        vendors = await running.enter_async_context(serving(truth, book, {}))
        port, pid = await running.enter_async_context(
            under_test(
                "gateway",
                speech=vendors.speech,
                model=vendors.model,
                log=OUT / "density.log",
                settings={
                    "CALLSPINE_DEEPGRAM_BASE_URL": f"ws://{address}",
                    "CALLSPINE_SILENCE_MS": "600000",
                    "CALLSPINE_BENCH_LAGS": str(lags),
                    **probe,
                },
            )
        )
        _pin(pid, 0)
        knock = gateway_doors(port)
        active: list[LoadCall] = []
        clock = asyncio.create_task(beat(active, figures))
        running.callback(clock.cancel)
        for count in steps:
            for number in range(len(calls) + 1, count + 1):
                begins_s = BEAT_S * (0.9 + (number * 0.618) % 1)
                sound = sounds[number % len(sounds)]
                call = LoadCall(number, knock(number), sound, begins_s, figures, truth)
                calls[number] = call
                try:
                    await call.open()
                except (TimeoutError, ConnectionError) as error:
                    print(f"call {number} was not taken: {type(error).__name__}; that is the end")
                    return found
                active.append(call)
                await asyncio.sleep(0.02)
            await asyncio.sleep(2.2 * BEAT_S)
            found.append(await _look(count, pid, figures, lags, parts if looks_inside else None))
        for call in active:
            call.close()
        await asyncio.sleep(0.5)
    return found


async def _look(count: int, pid: int, figures: Figures, lags: Path, parts: Path | None) -> Step:
    before = _counts(parts)
    seen = Figures()
    figures.late_ms, figures.own_late_ms = seen.late_ms, seen.own_late_ms
    dry, replies, spoken = figures.dry, figures.replies, figures.spoken_ms
    began_s, cpu, own = time.monotonic(), processes.cpu_s(pid), time.process_time()
    busy = processes.busy_s()
    await asyncio.sleep(BEATS * BEAT_S)
    seconds = time.monotonic() - began_s
    seen.dry, seen.replies = figures.dry - dry, figures.replies - replies
    seen.spoken_ms = figures.spoken_ms - spoken
    figures.late_ms, figures.own_late_ms = [], []
    counted = Counter(_counts(parts))
    counted.subtract(before)
    cpu = (processes.cpu_s(pid) - cpu) / seconds
    own = (time.process_time() - own) / seconds
    return Step(
        calls=count,
        cpu=cpu,
        resident_mb=processes.resident_mb(pid),
        figures=seen,
        lags_ms=_lags(lags, began_s),
        parts={name: n / max(1, counted.total()) for name, n in counted.items()},
        load_cpu=own,
        others_cpu=max(0.0, (processes.busy_s() - busy) / seconds - cpu - own),
    )


def _counts(parts: Path | None) -> dict[str, int]:
    if parts is None or not parts.exists():
        return {}
    last = parts.read_text(encoding="utf-8").splitlines()[-1]
    counts: dict[str, int] = json.loads(last)["counts"]
    return counts


def _lags(file: Path, from_s: float) -> list[float]:
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [lag for line in lines if line["at_s"] >= from_s for lag in line["lags_ms"]]


def _p99(values: list[float]) -> float:
    return quantile(values, 0.99) if values else 0.0


def _book() -> Book:
    """A short reply, so that the agent talks for four tenths of the beat."""
    whole = parse_book(UTTERANCES.read_text(encoding="utf-8"), "test")
    lines = ("I see, thank you, with {n} roofs behind us we know.",)
    return Book(
        answers=whole.answers,
        interruptions=(),
        backchannels=(),
        replies=lines,
        explanations=lines,
    )


def _sounds() -> list[Sound]:
    answers = {u.utterance_id: u for u in _book().answers}
    made = Sounds()
    return [made.utterance(answers[name], pitch) for name in SAID for pitch in PITCHES]


def _pin(pid: int, core: int) -> None:
    """All its threads, where there is such a core."""
    if (os.cpu_count() or 1) <= core:
        return
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
