"""Puts the checks together for the vendors that the settings name, runs them, prints what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from callspine.doctor.carrier import account_check, number_check, public_url_check
from callspine.doctor.engine import temporal_check, traces_check
from callspine.doctor.findings import Check, Finding, State, Told, examine, is_healthy
from callspine.doctor.machine import ports_check, settings_check
from callspine.doctor.model import model_check
from callspine.doctor.routing import router_check
from callspine.doctor.speech import Spoken, recogniser_check, voice_check
from callspine.doctor.stores import database_check, outbox_check, passages_check
from callspine.llm_settings import lacking as lacking_of
from callspine.llm_settings import parse_clients
from callspine.settings import PREFIX, Settings
from callspine.system import STAND_INS, wanted_stand_ins
from callspine.vendors import models, recognisers, voices

ASK_WITHIN_S = 5.0
_COLOURS = {
    State.WORKS: "green",
    State.WARNS: "yellow",
    State.FAILED: "red",
    State.SKIPPED: "dim",
}
_NEEDS = {
    "carrier": ("twilio_account_sid", "twilio_auth_token"),
    "stt": ("deepgram_api_key",),
    "cartesia": ("cartesia_api_key", "cartesia_voice_id"),
    "aura": ("deepgram_api_key",),
    "llm": ("llm_api_key",),
}
"""Without these a vendor need not be asked: it would refuse."""


async def visit(settings: Settings, *, env_file: Path = Path(".env")) -> list[Finding]:
    """Ask everything at once. Takes as long as the slowest check may, half a minute at most."""
    async with httpx.AsyncClient(timeout=ASK_WITHIN_S) as http:
        return await examine(checks_for(settings, http, env_file))


def checks_for(settings: Settings, http: httpx.AsyncClient, env_file: Path) -> list[Check]:
    """Every check, in the order of the table."""
    absent = {kind for kind in STAND_INS if _lacking(settings, kind)}
    checks = [settings_check(settings, env_file), temporal_check(settings)]
    checks += _carrier_checks(settings, http, is_absent="carrier" in absent)
    checks += _speech_checks(settings, absent)
    if "llm" in absent:
        checks.append(_absent(settings, "model", "llm"))
    else:
        with_model = models(settings, http).items()
        checks += [model_check(name, dialogue, settings) for name, dialogue in with_model]
    checks += [
        database_check(settings),
        outbox_check(settings),
        passages_check(settings, http),
        router_check(settings),
        ports_check(settings, http),
        traces_check(settings, http),
    ]
    return checks


def _carrier_checks(settings: Settings, http: httpx.AsyncClient, *, is_absent: bool) -> list[Check]:
    if is_absent:
        return [_absent(settings, "carrier", "carrier")]
    checks = [account_check(settings), public_url_check(settings, http)]
    is_stand_in = "twilio.com" not in (settings.twilio_api_base_url.host or "")
    if not (
        is_stand_in and "carrier" in wanted_stand_ins(settings)
    ):  # whose numbers have no settings
        checks.insert(1, number_check(settings))
    return checks


def _speech_checks(settings: Settings, absent: set[str]) -> list[Check]:
    spoken, checks = Spoken(), []
    if "tts" in absent:
        spoken_by_nobody = _absent(settings, "voice", "tts", lambda: spoken.is_there(b""))
        checks.append(spoken_by_nobody)
    else:
        for number, (name, voice) in enumerate(voices(settings).items()):
            checks.append(voice_check(name, voice, None if number else spoken))
    if "stt" in absent:
        checks.append(_absent(settings, "recogniser", "stt"))
    else:
        heard_by = recognisers(settings).items()
        checks += [recogniser_check(name, recogniser, spoken) for name, recogniser in heard_by]
    return checks


def _lacking(settings: Settings, kind: str) -> list[str]:
    lacking = []
    clients = parse_clients(settings.llm_clients)
    if kind == "llm" and clients:
        return [PREFIX + line.split()[0] for line in lacking_of(clients, settings.llm_client)]
    needs = [_NEEDS[voice] for voice in settings.voices] if kind == "tts" else [_NEEDS[kind]]
    for name in dict.fromkeys(chain.from_iterable(needs)):
        value = getattr(settings, name)
        if not (value if isinstance(value, str) else value.get_secret_value()):
            lacking.append(PREFIX + name.upper())
    return lacking


def _absent(
    settings: Settings, name: str, kind: str, told: Callable[[], None] | None = None
) -> Check:
    """A vendor without a key: a stand-in's while no system runs, or one that was forgotten."""
    lacking = ", ".join(_lacking(settings, kind))
    is_stand_in = kind in wanted_stand_ins(settings)

    async def ask() -> Told:
        if told is not None:
            told()
        if is_stand_in:
            return Told(
                what="a stand-in, which is not running",
                state=State.SKIPPED,
                remedy=f"`make up` starts it; for the real one set {lacking} and take `{kind}` "
                f"out of {PREFIX}STAND_INS",
            )
        return Told(what=f"{lacking} not set", state=State.FAILED, remedy=f"set {lacking}")

    return Check(name=name, ask=ask, remedy="")


def show(findings: list[Finding], console: Console, *, as_json: bool) -> bool:
    """Print them; whether all that is needed works."""
    healthy = is_healthy(findings)
    if as_json:
        rows = [asdict(finding) for finding in findings]
        console.print_json(json.dumps({"healthy": healthy, "findings": rows}))
        return healthy
    table = Table("", "", "ms", "found", box=None, pad_edge=False)
    for finding in findings:
        colour = _COLOURS[finding.state]
        took = "" if finding.state is State.SKIPPED else f"{finding.took_ms:.0f}"
        state = f"[{colour}]{finding.state.value}[/]"
        table.add_row(escape(finding.name), state, took, escape(finding.what))
    console.print(table)
    for finding in findings:
        if finding.remedy and finding.state is not State.WORKS:
            console.print(
                f"\n[bold]{escape(finding.name)}[/]: {escape(finding.remedy)}", highlight=False
            )
    console.print(
        "\n[green]Everything that calls need works.[/]"
        if healthy
        else "\n[red]Calls cannot be held like this.[/]"
    )
    return healthy
