"""`python -m chaos [FAULT ...]`: break the system under live calls, and print what the wire says of it."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from rich.console import Console

from bench.report import OUT, report
from callspine.scripts import read_script
from callspine.settings import SettingsError
from callspine.supervisor import ProcessFailed
from chaos.batch import SCRIPT, run_batch
from chaos.fault import Fault, Verdict
from chaos.faults.all_killed import AllKilled
from chaos.faults.calm import Calm, control_of
from chaos.faults.gateway_killed import GatewayKilled
from chaos.faults.sigterm import Sigterm
from chaos.faults.stale_gateway import StaleGateway
from chaos.faults.temporal_away import TemporalAway
from chaos.faults.unruly_webhooks import UnrulyWebhooks
from chaos.faults.worker_killed import WorkerKilled, WorkersAway
from chaos.judgement import is_reached
from chaos.questions import Questions
from chaos.rig import Rig, running_rig
from chaos.seen import Batch
from chaos.story import story

FAULTS: tuple[Fault, ...] = (
    GatewayKilled(),
    WorkerKilled(),
    WorkersAway(),
    TemporalAway(),
    AllKilled(),
    UnrulyWebhooks(),
    StaleGateway(),
    Sigterm(),
)
"""In the order in which they are run; the calm batch comes before all of them."""
FOLDER = "chaos"
"""Of `out/`: a table's JSON a fault, and each call's story."""


def main() -> int:
    """Run all faults, or these. 0 only when everything that must hold did."""
    names = [fault.name for fault in FAULTS]
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("fault", nargs="*", help=f"of {', '.join(names)}; all when none is named")
    parser.add_argument("--calls", type=int, default=20, help="samples a fault (20)")
    parser.add_argument("--batch", type=int, default=20, help="calls at once (20)")
    parser.add_argument(
        "--seed", type=int, help="of all chance; printed, so that a run can be had again"
    )
    options = parser.parse_args()
    if unknown := set(options.fault) - {*names, Calm.name}:
        parser.error(f"no fault {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if not 1 <= options.batch <= 100 or options.calls < 1:
        parser.error("--calls must be at least 1, --batch from 1 to 100")
    seed = int(time.time()) if options.seed is None else options.seed
    chosen = [f for f in FAULTS if f.name in options.fault or not options.fault]
    try:
        return asyncio.run(_run(chosen, options.calls, options.batch, seed))
    except (SettingsError, ProcessFailed) as error:
        Console(stderr=True).print(f"[red]{error}[/]", highlight=False)
        return 1


async def _run(faults: Sequence[Fault], samples: int, at_once: int, seed: int) -> int:
    console = Console(width=120)
    console.print(
        f"seed {seed}; {samples} samples a fault, {at_once} calls at once", highlight=False
    )
    questions = Questions(read_script(Path("sales_scripts") / f"{SCRIPT}.yaml"))
    failed = 0
    async with running_rig() as rig:
        calm = Calm()
        batches = await _batches(rig, calm, samples, at_once, Random(f"{seed} calm"), console)
        control = control_of(batches)
        _write_stories(calm, batches, questions)
        failed += _tell(calm, calm.verdict(batches, control, questions), seed, console)
        for fault in faults:
            chance = Random(f"{seed} {fault.name}")
            batches = await _batches(rig, fault, samples, at_once, chance, console)
            _write_stories(fault, batches, questions)
            failed += _tell(fault, fault.verdict(batches, control, questions), seed, console)
    console.print(f"\n{failed} of {1 + len(faults)} failed" if failed else "\neverything held")
    return 1 if failed else 0


async def _batches(
    rig: Rig, fault: Fault, samples: int, at_once: int, chance: Random, console: Console
) -> list[Batch]:
    done: list[Batch] = []
    while not fault.is_enough(done, samples):
        began_s = time.monotonic()
        batch = await run_batch(
            rig,
            calls=min(at_once, samples),
            chance=chance,
            strike=fault.strike,
            webhooks_fault=fault.webhooks_fault,
        )
        done.append(batch)
        struck = ", ".join(strike.what for strike in batch.strikes) or "nothing was struck"
        took_s = time.monotonic() - began_s
        console.print(f"[dim]{fault.name}: {len(batch.calls)} calls, {struck}, {took_s:.0f} s[/]")
    return done


def _write_stories(fault: Fault, batches: Sequence[Batch], questions: Questions) -> None:
    """Every call as a text, in `out/chaos/<fault>/`: those of the run before are gone."""
    folder = OUT / FOLDER / fault.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, batch in enumerate(batches, 1):
        for call in batch.calls:
            reached = "reached" if is_reached(call) else "lost"
            path = folder / f"{number}-{reached}-{call.call_id}.txt"
            path.write_text(story(call, batch.strikes, questions), encoding="utf-8")


def _tell(fault: Fault, verdict: Verdict, seed: int, console: Console) -> int:
    """Print and write; 1 for a fault that failed."""
    notes = [
        f"must hold: {fault.must}",
        *verdict.notes,
        *(f"FAILED: {f}" for f in verdict.failures),
    ]
    report(fault.name, f"{fault.name} (seed {seed})", verdict.rows, notes, folder=FOLDER)
    return 1 if verdict.failures else 0


if __name__ == "__main__":
    sys.exit(main())
