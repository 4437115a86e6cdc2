"""How fast and how well turns are taken, seen from the line: callers, a carrier and vendors here, the gateway in its own process.

What is measured, by variables: CALLSPINE_BENCH_RUNS (some of the names in `RUNS`, by commas), CALLSPINE_BENCH_TURNS (of
callers, a run), CALLSPINE_BENCH_CALLS (at once), CALLSPINE_BENCH_HALF (`test`, or `tuning` while a policy is being set),
CALLSPINE_BENCH_SETTINGS (more settings of the gateway, `NAME=VALUE`, by commas). What it needs: the extra `local`,
and CALLSPINE_BENCH_NOISE where the noises do not lie in `../shared/data/noise`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from enum import Enum

from bench.peers import start_pipecat
from bench.report import OUT, report
from bench.turns.caller import Plan
from bench.turns.figures import Result, table
from bench.turns.run import Setting, gateway, run

TURNS, FAULTY_TURNS = 240, 1000
CALLS, FAULTY_CALLS, PEER_CALLS = 8, 12, 2
FAULTS, REQUEST_FAULTS = 0.25, 0.06


def _more() -> dict[str, str]:
    text = os.environ.get("CALLSPINE_BENCH_SETTINGS", "")
    return dict(pair.split("=", 1) for pair in text.split(",") if pair)


def _gateway(name: str, openers: str = "off", *, has_word_times: bool = True) -> Setting:
    return Setting(
        name=name,
        system=gateway(OPENERS=openers, **_more()),
        answers=TURNS,
        calls_at_once=CALLS,
        has_word_times=has_word_times,
    )


def _faulty() -> Setting:
    return replace(
        _gateway("faults"),
        answers=FAULTY_TURNS,
        calls_at_once=FAULTY_CALLS,
        plan=Plan(interrupt=0.1, backchannel=0.05, noise=0.05, faults=FAULTS),
        fault_share=REQUEST_FAULTS,
    )


def _pipecat() -> Setting:
    return Setting(
        name="pipecat", system=start_pipecat.pipecat, answers=TURNS, calls_at_once=PEER_CALLS
    )


RUNS: dict[str, Callable[[], Setting]] = {
    "openers_off": lambda: _gateway("openers_off"),
    "openers_on": lambda: _gateway("openers_on", "on"),
    "no_word_times": lambda: _gateway("no_word_times", has_word_times=False),
    "faults": _faulty,
    "pipecat": _pipecat,
}


async def main() -> None:
    """Measure, print, write."""
    names = os.environ.get("CALLSPINE_BENCH_RUNS", ",".join(RUNS)).split(",")
    results, notes = [], []
    for name in names:
        if name == "pipecat" and not start_pipecat.is_there():
            notes.append(
                f"pipecat was not measured: set {start_pipecat.VARIABLE} to a Python that has it "
                "(see bench/peers/start_pipecat.py)"
            )
            continue
        setting = RUNS[name]()
        setting = replace(
            setting,
            half=os.environ.get("CALLSPINE_BENCH_HALF", setting.half),
            answers=int(os.environ.get("CALLSPINE_BENCH_TURNS", setting.answers)),
            calls_at_once=int(os.environ.get("CALLSPINE_BENCH_CALLS", setting.calls_at_once)),
        )
        result = await run(setting, OUT / "turns")
        _keep(result)
        results.append(result)
        report(f"turns.{name}", f"Turns: {name}", table([result]))
    if len(results) > 1:
        report("turns", "Turns", table(results), notes)
    else:
        print(*notes, sep="\n")


def _keep(result: Result) -> None:
    """Every act of a run, for whoever asks which one it was."""
    path = OUT / "turns" / f"{result.name}.acts.json"
    path.write_text(json.dumps(asdict(result), default=_plain, indent=1) + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else str(value)
