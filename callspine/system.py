"""The whole system on one machine: Temporal, the stand-ins that are wanted, a worker and a gateway."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from callspine.connect import connect
from callspine.ports import refuse_busy_port
from callspine.privacy.codec_server import require_safe_host
from callspine.running import told_while_running
from callspine.settings import (
    PREFIX,
    Settings,
    SettingsError,
    load_settings,
    require_for_gateway,
    require_for_worker,
)
from callspine.supervisor import Program, Supervisor
from callspine.temporal_server import TemporalServer
from callspine.versions import build_id_of_this_code, promote

STAND_INS = frozenset({"carrier", "stt", "tts", "llm"})
_REHEARSAL_SID = "AC" + "0" * 32
_LOOPBACK = "127.0.0.1"
_PROMOTED_WITHIN_S = 20.0


@dataclass(frozen=True, kw_only=True)
class System:
    """A running system."""

    settings: Settings
    """What the worker and the gateway run with: the user's, and the stand-ins' addresses."""
    supervisor: Supervisor
    ui_url: str
    record_dir: Path
    """Where the stand-in carrier leaves what was on the wire."""


@asynccontextmanager
async def running_system(
    settings: Settings,
    *,
    gateway_command: tuple[str, ...] = ("-m", "callspine", "gateway"),
    carrier_options: tuple[str, ...] = (),
) -> AsyncIterator[System]:
    """Start everything, yield, stop everything. Raises SettingsError or ProcessFailed before or while it starts."""
    stand_ins = wanted_stand_ins(settings)
    environment = stand_in_environment(settings, stand_ins)
    effective = load_settings_with(environment)
    require_for_gateway(effective)
    require_for_worker(effective)
    if codec_endpoint(effective):
        require_safe_host(effective)
    _refuse_busy_ports(effective, stand_ins)
    var = settings.var_dir
    var.mkdir(parents=True, exist_ok=True)
    record_dir = var / "carrier"
    process_environment = {**os.environ, **environment, "BAML_LOG": "off"}
    server = TemporalServer(
        port=settings.temporal_port,
        ui_port=settings.temporal_ui_port,
        db_file=var / "temporal.db",
        log_file=var / "log" / "temporal.log",
        codec_endpoint=codec_endpoint(effective),
    )
    async with server, Supervisor(var / "log") as supervisor:
        await supervisor.start(
            *_stand_in_programs(
                effective, stand_ins, process_environment, record_dir, carrier_options
            ),
            *_codec_programs(effective, process_environment),
        )
        await supervisor.start(
            Program(
                name="worker",
                arguments=("-m", "callspine", "worker"),
                environment=process_environment,
                ready_text="worker_ready",
            ),
            Program(
                name="gateway",
                arguments=gateway_command,
                environment=process_environment,
                ready_url=f"http://{effective.host}:{effective.port}/health",
            ),
        )
        # As in production: calls run on a build of their own, and stay on it.
        await promote(
            await connect(effective), effective.worker_build_id, within_s=_PROMOTED_WITHIN_S
        )
        with told_while_running(var, environment):
            yield System(
                settings=effective,
                supervisor=supervisor,
                ui_url=f"http://{_LOOPBACK}:{settings.temporal_ui_port}",
                record_dir=record_dir,
            )


def codec_endpoint(settings: Settings) -> str:
    """Where the codec server is; empty while Temporal's UI can read everything by itself."""
    if not settings.codec_keys.get_secret_value() and settings.transcripts == "history":
        return ""
    return f"http://{settings.codec_host}:{settings.codec_port}"


def wanted_stand_ins(settings: Settings) -> frozenset[str]:
    """The names in CALLSPINE_STAND_INS. Raises SettingsError for one that does not exist."""
    names = {name.strip() for name in settings.stand_ins.split(",") if name.strip()}
    if unknown := names - STAND_INS:
        raise SettingsError(
            f"{PREFIX}STAND_INS names {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(STAND_INS))}"
        )
    return frozenset(names)


def stand_in_environment(settings: Settings, stand_ins: Iterable[str]) -> dict[str, str]:
    """Settings that point the production adapters at the stand-ins."""
    vendors = f"{_LOOPBACK}:{settings.vendors_port}"
    by_name = {
        "stt": {
            "DEEPGRAM_BASE_URL": f"ws://{vendors}",
            "DEEPGRAM_FALLBACK_URL": "",
            "DEEPGRAM_API_KEY": "rehearsal",
            "DEEPGRAM_MODEL": "nova-3",  # the stand-in knows no turns
            "DEEPGRAM_SILENT_AFTER_S": "8",  # it recognises on a CPU that others use
        },
        "tts": {
            "VOICE": "cartesia",
            "VOICE_FALLBACK": "",
            "VOICE_GIVE_UP_AFTER_MS": "6000",  # one thread speaks for all calls
            "CARTESIA_BASE_URL": f"ws://{vendors}",
            "CARTESIA_API_KEY": "rehearsal",
            "CARTESIA_VOICE_ID": "joe",
        },
        "llm": {
            "LLM_BASE_URL": f"http://{vendors}/v1",
            "LLM_API_KEY": "rehearsal",
            "LLM_MODEL": "script-reader",
            "LLM_CLIENTS": "",
            "ROUTER": "off",
        },
        "carrier": {
            "TWILIO_API_BASE_URL": f"http://{_LOOPBACK}:{settings.carrier_port}",
            "TWILIO_ACCOUNT_SID": _REHEARSAL_SID,
            "TWILIO_AUTH_TOKEN": secrets.token_hex(16),
            "TWILIO_FROM": "+15005550006",
            "PUBLIC_URL": f"http://{settings.host}:{settings.port}",
        },
    }
    chosen = {"TEMPORAL_ADDRESS": f"{_LOOPBACK}:{settings.temporal_port}"}
    if "drain_within_s" not in settings.model_fields_set:
        # Nobody is there to take a call over: who stops the whole system does not want to wait for it.
        chosen["DRAIN_WITHIN_S"] = "2"
        chosen["DRAIN_NOTICE_S"] = "0"
    if not settings.stream_token_secret.get_secret_value():
        chosen["STREAM_TOKEN_SECRET"] = secrets.token_hex(32)
    if not settings.worker_build_id:
        chosen["WORKER_BUILD_ID"] = build_id_of_this_code()
    if "database_url" not in settings.model_fields_set:
        chosen["DATABASE_URL"] = f"sqlite:///{settings.var_dir / 'callspine.db'}"
    if "outbox_dir" not in settings.model_fields_set:
        chosen["OUTBOX_DIR"] = str(settings.var_dir / "outbox")
    if "line_audio_dir" not in settings.model_fields_set:
        chosen["LINE_AUDIO_DIR"] = str(settings.var_dir / "line_audio")
    if "knowledge_dir" not in settings.model_fields_set:
        chosen["KNOWLEDGE_DIR"] = str(settings.var_dir / "knowledge")
    for name in stand_ins:
        chosen |= by_name[name]
    return {PREFIX + key: value for key, value in chosen.items()}


def load_settings_with(environment: dict[str, str]) -> Settings:
    """The settings that a child process with these variables will see."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        return load_settings()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _refuse_busy_ports(settings: Settings, stand_ins: frozenset[str]) -> None:
    wanted = [
        (settings.host, settings.port, "PORT"),
        (_LOOPBACK, settings.temporal_port, "TEMPORAL_PORT"),
        (_LOOPBACK, settings.temporal_ui_port, "TEMPORAL_UI_PORT"),
    ]
    if stand_ins & {"stt", "tts", "llm"}:
        wanted.append((_LOOPBACK, settings.vendors_port, "VENDORS_PORT"))
    if "carrier" in stand_ins:
        wanted.append((_LOOPBACK, settings.carrier_port, "CARRIER_PORT"))
    if codec_endpoint(settings):
        wanted.append((settings.codec_host, settings.codec_port, "CODEC_PORT"))
    for host, port, variable in wanted:
        refuse_busy_port(host, port, PREFIX + variable)


def _codec_programs(settings: Settings, environment: dict[str, str]) -> list[Program]:
    if not (endpoint := codec_endpoint(settings)):
        return []
    return [
        Program(
            name="codec",
            arguments=("-m", "callspine", "codec", "serve"),
            environment=environment,
            ready_url=f"{endpoint}/health",
        )
    ]


def _stand_in_programs(
    settings: Settings,
    stand_ins: frozenset[str],
    environment: dict[str, str],
    record_dir: Path,
    carrier_options: tuple[str, ...],
) -> list[Program]:
    programs = []
    if stand_ins & {"stt", "tts", "llm"}:
        programs.append(
            Program(
                name="vendors",
                arguments=("-m", "rehearsal.vendors", "--port", str(settings.vendors_port)),
                environment=environment,
                ready_url=f"http://{_LOOPBACK}:{settings.vendors_port}/health",
                start_within_s=120,
            )
        )
    if "carrier" in stand_ins:
        programs.append(
            Program(
                name="carrier",
                arguments=(
                    "-m",
                    "rehearsal.carrier",
                    "--port",
                    str(settings.carrier_port),
                    "--account-sid",
                    settings.twilio_account_sid,
                    "--auth-token",
                    settings.twilio_auth_token.get_secret_value(),
                    "--caller",
                    str(settings.rehearsal_caller),
                    "--out",
                    str(record_dir),
                    *carrier_options,
                ),
                environment=environment,
                ready_url=f"http://{_LOOPBACK}:{settings.carrier_port}/witness",
                start_within_s=120,
            )
        )
    return programs
