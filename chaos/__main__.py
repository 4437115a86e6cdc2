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
from rich.table import Table
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig

from bench.report import write
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
OUT = Path("out/chaos")
"""A JSON file a fault, and a folder with each call's story."""


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
    # The client's own retries, while the server is what was killed, are no news.
    quiet = TelemetryConfig(logging=LoggingConfig(filter="ERROR"))
    Runtime.set_default(Runtime(telemetry=quiet))
    seed = int(time.time()) if options.seed is None else options.seed
    chosen = [f for f in FAULTS if f.name in options.fault or not options.fault]
    try:
        return asyncio.run(_run(chosen, options.calls, options.batch, seed))
    except (SettingsError, ProcessFailed) as error:
        Console(stderr=True).print(f"[red]{error}[/]", highlight=False)
        return 1


async def _run(faults: Sequence[Fault], samples: int, at_once: int, seed: int) -> int:
    console = Console(width=130)
    console.print(
        f"seed {seed}; {samples} samples a fault, {at_once} calls at once", highlight=False
    )
    questions = Questions(read_script(Path("sales_scripts") / f"{SCRIPT}.yaml"))
    held: dict[str, bool] = {}
    async with running_rig() as rig:
        calm = Calm()
        batches = await _batches(rig, calm, samples, at_once, Random(f"{seed} calm"), console)
        control = control_of(batches)
        _write_stories(calm, batches, questions)
        held[calm.name] = _tell(calm, calm.verdict(batches, control, questions), seed, console)
        for fault in faults:
            chance = Random(f"{seed} {fault.name}")
            batches = await _batches(rig, fault, samples, at_once, chance, console)
            _write_stories(fault, batches, questions)
            held[fault.name] = _tell(
                fault, fault.verdict(batches, control, questions), seed, console
            )
    console.print()
    for name, is_held in held.items():
        console.print(f"[green]held[/]    {name}" if is_held else f"[red]FAILED[/]  {name}")
    return 0 if all(held.values()) else 1


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
    folder = OUT / fault.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, batch in enumerate(batches, 1):
        for call in batch.calls:
            reached = "reached" if is_reached(call) else "lost"
            path = folder / f"{number}-{reached}-{call.call_id}.txt"
            path.write_text(story(call, batch.strikes, questions), encoding="utf-8")


def _tell(fault: Fault, verdict: Verdict, seed: int, console: Console) -> bool:
    """Print and write; whether everything held. A fault has few rows and many figures: the table stands upright."""
    console.print(f"\n[bold]{fault.name}[/]: {fault.must}", highlight=False)
    table = Table(show_header=False)
    for figure in verdict.rows[0]:
        table.add_row(figure, *(str(row[figure]) for row in verdict.rows))
    console.print(table)
    for note in verdict.notes:
        console.print(note, highlight=False)
    for failure in verdict.failures:
        console.print(f"[red]FAILED[/] {failure}", highlight=False)
    notes = [*verdict.notes, *(f"FAILED {failure}" for failure in verdict.failures)]
    title = f"{fault.must} (seed {seed})"
    write(OUT / f"{fault.name}.json", fault.name, title, verdict.rows, notes)
    return not verdict.failures


if __name__ == "__main__":
    sys.exit(main())
