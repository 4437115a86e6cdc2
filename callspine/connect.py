"""The way to Temporal, for every composition root and command."""

from __future__ import annotations

from temporalio.client import Client

from callspine.settings import Settings, SettingsError


async def connect(settings: Settings) -> Client:
    """A Temporal client. Raises SettingsError naming the address when nothing answers there."""
    try:
        return await Client.connect(
            settings.temporal_address, namespace=settings.temporal_namespace
        )
    except RuntimeError as error:
        raise SettingsError(
            f"no Temporal at {settings.temporal_address}: start one with `make up`, "
            "or set CALLSPINE_TEMPORAL_ADDRESS"
        ) from error
