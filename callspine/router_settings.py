"""Which router the settings ask for, and what is made of it at start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from media_gateway.routing.ahead import Choice
from media_gateway.routing.head import Head
from media_gateway.routing.own import NAME, Embeds

if TYPE_CHECKING:
    from callspine.settings import Settings

log = structlog.get_logger(__name__)

OFF = "off"
FAST, STRONG = "fast", "strong"
"""The names in CALLSPINE_LLM_CLIENTS of the two between which is chosen."""
_ROUTELLM = re.compile(r"routellm:([a-z_]+)")
SHIPPED = Path(__file__).parent.parent / "media_gateway" / "routing" / "models" / "router.npz"


def parse_router(text: str) -> str:
    """The setting as it is. Raises ValueError with the remedy."""
    text = text.strip().lower() or OFF
    if text in (OFF, NAME) or _ROUTELLM.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is no router: `off`, `{NAME}`, `routellm:{NAME}` or `routellm:mf`")


def needs_threshold(router: str) -> bool:
    """Whether it has a scale that we did not calibrate."""
    return router not in (OFF, NAME, f"routellm:{NAME}")


async def open_route(settings: Settings, embedder: Embeds) -> Choice | None:
    """As `made_route`; without RouteLLM, where it is asked for, that is said once, and the fast client answers."""
    from media_gateway.routing.controller import NoController

    try:
        return await made_route(settings, embedder)
    except NoController as error:
        log.warning("router_off", reason=str(error), answers=FAST)
        return None


async def made_route(settings: Settings, embedder: Embeds) -> Choice | None:
    """What chooses a turn's client; None: every turn is the first one's.

    Raises SettingsError for weights of no use, and `NoController` where RouteLLM is asked for and cannot be had.
    """
    if settings.router == OFF:
        return None
    from media_gateway.routing.controller import ControllerChoice
    from media_gateway.routing.own import EmbeddingRouter, OwnChoice

    head = _head(settings.router_model or SHIPPED)
    threshold = settings.router_threshold
    if threshold is None:
        threshold = head.threshold(settings.router_strong_share)
    if settings.router == NAME:
        return OwnChoice(embedder, head, strong=STRONG, fast=FAST, threshold=threshold)
    return await ControllerChoice.open(
        router=settings.router.partition(":")[2],
        own=EmbeddingRouter(embedder, head),
        strong=STRONG,
        fast=FAST,
        threshold=min(threshold, 1.0),
    )


def _head(file: Path) -> Head:
    from callspine.settings import PREFIX, SettingsError

    try:
        return Head.load(file)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{PREFIX}ROUTER_MODEL is {file}: {error}: train one with `callspine router train`, or leave it empty"
        ) from None
