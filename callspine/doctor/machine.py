"""Checks this machine's own side: variables that nobody reads, keys, scripts, ports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

import httpx
from dotenv import dotenv_values

from callspine.doctor.findings import AilingError, Check, State, Told
from callspine.ports import refuse_busy_port
from callspine.settings import (
    PREFIX,
    Settings,
    SettingsError,
    require_for_gateway,
    require_for_worker,
)

_MISSING = ".env.example explains each; `make up` chooses those of its stand-ins"


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Those that begin as ours do and are none: a typing error leaves a setting at its default, and says nothing."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    nested = tuple(f"{name}__" for name in known)
    return sorted(
        name
        for name in {name.upper() for name in names}
        if name.startswith(PREFIX) and name not in known and not name.startswith(nested)
    )


def settings_check(settings: Settings, env_file: Path) -> Check:
    """Keys that are missing, and variables that are unknown."""

    async def ask() -> Told:
        if missing := _missing(settings):
            raise AilingError(
                f"{len(missing)} missing or of no use",
                "\n  ".join((_MISSING, *missing)),
            )
        names = {*os.environ, *dotenv_values(env_file)}
        if unknown := unknown_variables(names):
            known = [PREFIX + name.upper() for name in Settings.model_fields]
            near = get_close_matches(unknown[0], known, 1)
            hint = f": did you mean {near[0]}?" if near else ""
            return Told(
                what=f"nobody reads {', '.join(unknown)}",
                state=State.WARNS,
                remedy=f"see .env.example for what there is{hint}",
            )
        return Told(what="complete")

    return Check(name="settings", ask=ask, remedy="see .env.example")


def _missing(settings: Settings) -> list[str]:
    """A line a variable: the first reason that a gateway or a worker gives for wanting it."""
    reasons: dict[str, str] = {}
    for require in (require_for_gateway, require_for_worker):
        try:
            require(settings)
        except SettingsError as error:
            for line in str(error).splitlines():
                reasons.setdefault(line.split()[0], line)
    return list(reasons.values())


def ports_check(settings: Settings, http: httpx.AsyncClient) -> Check:
    """The gateway's port is free, or the gateway's."""

    async def ask() -> Told:
        try:
            await asyncio.to_thread(refuse_busy_port, settings.host, settings.port, f"{PREFIX}PORT")
        except SettingsError as error:
            url = f"http://{settings.host}:{settings.port}/health"
            try:
                gateway = (await http.get(url)).json()["gateway"]
            except (httpx.HTTPError, ValueError, KeyError, TypeError):
                raise AilingError(
                    f"port {settings.port} is not the gateway's", str(error)
                ) from None
            if gateway != settings.gateway_id:
                raise AilingError(
                    f"port {settings.port} is {gateway}'s",
                    f"this gateway is {settings.gateway_id}: set {PREFIX}PORT to another one",
                ) from None
            return Told(what=f"{settings.port}: the gateway is there")
        return Told(what=f"{settings.port} is free")

    return Check(name="port", ask=ask, remedy=f"set {PREFIX}PORT to another one")
