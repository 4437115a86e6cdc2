"""The system under fault: which processes run, and how each is killed, frozen, told to stop, and started again."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
from temporalio.client import Client

from callspine.connect import connect
from callspine.settings import Settings
from callspine.supervisor import Program, Supervisor
from callspine.system import load_settings_with, stand_in_environment
from callspine.temporal_server import TemporalServer
from callspine.versions import promote
from callspine.worker import open_store
from chaos.balancer import Balancer

CALLER = Path("rehearsal/callers/steady.yaml")
VAR = Path("var/chaos")
GATEWAYS = ("gateway-1", "gateway-2")
WORKERS = ("worker-1", "worker-2")
HEALTHY_WITHIN_S = 60.0
PROMOTED_WITHIN_S = 20.0


@dataclass(kw_only=True)
class Rig:
    """A running system. Names are those of `GATEWAYS`, `WORKERS` and `carrier`."""

    settings: Settings
    balancer: Balancer
    temporal: TemporalServer
    supervisor: Supervisor
    record_dir: Path
    programs: dict[str, Program]
    gateway_ports: dict[str, int]
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    client: Client | None = None
    webhooks_fault: str = ""

    # --- processes ---------------------------------------------------------------------------

    def is_up(self, name: str) -> bool:
        """Whether its process runs, frozen or not."""
        process = self.processes.get(name)
        return process is not None and process.returncode is None

    async def start(self, *names: str) -> None:
        """Start those that are not up, side by side, until each is ready. Raises ProcessFailed."""
        missing = [name for name in names if not self.is_up(name)]
        for name in missing:
            self.runs[name] = self.runs.get(name, 0) + 1
        programs = [
            # Each run has a log of its own.
            replace(self.programs[name], name=f"{name}.{self.runs[name]}")
            for name in missing
        ]
        for name, process in zip(missing, await self.supervisor.start(*programs), strict=True):
            self.processes[name] = process

    async def kill(self, *names: str) -> float:
        """`kill -9`, all at once. Returns when, on the monotonic clock."""
        at_s = time.monotonic()
        for name in names:
            self.processes[name].kill()
        for name in names:
            await self.processes[name].wait()
        return at_s

    def freeze(self, name: str) -> None:
        """SIGSTOP: it holds all it has, and does nothing."""
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT: it goes on as if nothing had been."""
        if self.is_up(name):
            self.processes[name].send_signal(signal.SIGCONT)

    async def terminate(self, name: str, within_s: float) -> float | None:
        """SIGTERM. Returns the seconds until it was gone; None when it had to be killed after `within_s`."""
        began_s = time.monotonic()
        process = self.processes[name]
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), within_s)
        except TimeoutError:
            process.kill()
            await process.wait()
            return None
        return time.monotonic() - began_s

    def busiest_gateway(self) -> str:
        """The gateway with most connections: the one that carries the calls."""
        return max(GATEWAYS, key=lambda name: self.balancer.connections(self.gateway_ports[name]))

    async def heal(self, webhooks_fault: str = "") -> None:
        """Everything up and healthy, as before any fault, the carrier with this one of its own."""
        for name in (*GATEWAYS, *WORKERS):
            self.thaw(name)
        self.balancer.heal_partitions()
        if webhooks_fault != self.webhooks_fault or not self.is_up("carrier"):
            await self._start_carrier(webhooks_fault)
        await self.start(*GATEWAYS, *WORKERS)
        async with asyncio.timeout(HEALTHY_WITHIN_S):
            while not all(self.balancer.is_healthy(port) for port in self.gateway_ports.values()):
                await asyncio.sleep(0.05)

    async def _start_carrier(self, fault: str) -> None:
        if self.is_up("carrier"):
            await self.terminate("carrier", 15)
        program = self.programs["carrier"]
        arguments = program.arguments
        if "--fault" in arguments:
            arguments = arguments[: arguments.index("--fault")]
        if fault:
            arguments = (*arguments, "--fault", fault)
        self.programs["carrier"] = replace(program, arguments=arguments)
        self.webhooks_fault = fault
        await self.start("carrier")

    # --- what the carrier says ---------------------------------------------------------------

    async def carrier_calls(self, http: httpx.AsyncClient) -> list[dict[str, str]]:
        """Every call of the carrier's: `call_sid`, `to`, `status`, `folder`."""
        response = await http.get(f"http://127.0.0.1:{self.settings.carrier_port}/witness")
        calls: list[dict[str, str]] = response.json()
        return calls

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds that each live process has used."""
        return {
            name: _cpu_s(process.pid)
            for name, process in self.processes.items()
            if process.returncode is None
        }


@asynccontextmanager
async def running_rig(var: Path = VAR) -> AsyncIterator[Rig]:
    """Start everything on free ports, yield, stop everything. Raises SettingsError or ProcessFailed."""
    _clean(var)
    environment, gateway_ports = _environment(var)
    settings = load_settings_with(environment)
    # Two workers that start at once on an empty database would both make its tables.
    open_store(settings.database_url).close()
    temporal = TemporalServer(
        port=settings.temporal_port,
        ui_port=settings.temporal_ui_port,
        db_file=var / "temporal.db",
        log_file=var / "log" / "temporal.log",
    )
    supervisor = Supervisor(var / "log")
    balancer = Balancer(settings.port, list(gateway_ports.values()))
    async with temporal, supervisor, balancer:
        rig = Rig(
            settings=settings,
            balancer=balancer,
            temporal=temporal,
            supervisor=supervisor,
            record_dir=var / "carrier",
            programs=_programs(settings, {**os.environ, **environment}, gateway_ports, var),
            gateway_ports=gateway_ports,
        )
        await rig.start("vendors", "carrier")
        await rig.heal()
        rig.client = await connect(settings)
        await promote(rig.client, settings.worker_build_id, within_s=PROMOTED_WITHIN_S)
        try:
            yield rig
        finally:
            for name in rig.processes:
                rig.thaw(name)


def _clean(var: Path) -> None:
    """Voices are kept from run to run; what a system wrote is not."""
    var.mkdir(parents=True, exist_ok=True)
    for path in var.iterdir():
        if path.is_dir() and path.name != "voices":
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


def _environment(var: Path) -> tuple[dict[str, str], dict[str, int]]:
    balancer, *gateways, vendors, carrier, temporal, ui = _free_ports(6 + len(GATEWAYS) - 1)
    ports = {
        "CALLSPINE_PORT": balancer,
        "CALLSPINE_VENDORS_PORT": vendors,
        "CALLSPINE_CARRIER_PORT": carrier,
        "CALLSPINE_TEMPORAL_PORT": temporal,
        "CALLSPINE_TEMPORAL_UI_PORT": ui,
    }
    environment = {name: str(port) for name, port in ports.items()} | {
        "CALLSPINE_STREAM_TOKEN_SECRET": secrets.token_hex(32),
        "CALLSPINE_DATABASE_URL": f"sqlite:///{var / 'callspine.db'}",
        "CALLSPINE_VAR_DIR": str(var),
        "CALLSPINE_PUBLIC_URL": f"http://127.0.0.1:{balancer}",
        "CALLSPINE_DRAIN_WITHIN_S": "25",
        "CALLSPINE_DRAIN_NOTICE_S": "2",
        "BAML_LOG": "off",
    }
    settings = load_settings_with(environment)
    environment = stand_in_environment(settings, ("carrier", "stt", "tts", "llm")) | environment
    return environment, dict(zip(GATEWAYS, gateways, strict=True))


def _programs(
    settings: Settings, environment: dict[str, str], gateway_ports: dict[str, int], var: Path
) -> dict[str, Program]:
    voices = str(var / "voices")
    vendors, carrier = settings.vendors_port, settings.carrier_port
    found = [
        Program(
            name="vendors",
            arguments=("-m", "rehearsal.vendors", "--port", str(vendors), "--voices", voices),
            environment=environment,
            ready_url=f"http://127.0.0.1:{vendors}/health",
            start_within_s=120,
        ),
        Program(
            name="carrier",
            arguments=(
                "-m",
                "rehearsal.carrier",
                *("--port", str(carrier)),
                *("--account-sid", settings.twilio_account_sid),
                *("--auth-token", settings.twilio_auth_token.get_secret_value()),
                *("--caller", str(CALLER)),
                *("--out", str(var / "carrier")),
                *("--voices", voices),
            ),
            environment=environment,
            ready_url=f"http://127.0.0.1:{carrier}/witness",
            start_within_s=120,
        ),
    ]
    found += [
        Program(
            name=name,
            arguments=("-m", "callspine", "worker"),
            environment=environment,
            ready_text="worker_ready",
        )
        for name in WORKERS
    ]
    found += [
        Program(
            name=name,
            arguments=("-m", "callspine", "gateway"),
            # The carrier's address of them all stays the balancer's: CALLSPINE_PUBLIC_URL.
            environment={
                **environment,
                "CALLSPINE_PORT": str(port),
                "CALLSPINE_GATEWAY_ID": name,
            },
            ready_url=f"http://127.0.0.1:{port}/health",
        )
        for name, port in gateway_ports.items()
    ]
    return {program.name: program for program in found}


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
