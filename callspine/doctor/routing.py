"""Checks the router, where one is asked for: that it can be made as the settings say, and how long it takes to choose."""

from __future__ import annotations

from time import perf_counter

from callspine.doctor.findings import AilingError, Check, State, Told, off_loop
from callspine.router_settings import OFF, made_route
from callspine.settings import PREFIX, Settings, SettingsError

WORDS = "And what happens to the warranty if I sell the house before the loan is paid back?"
LOAD_WITHIN_S = 45.0
"""RouteLLM imports torch, and may fetch its weights."""
_SLOW_MS = 1000.0
_FAST_ANSWERS = "without a router the fast client answers every turn"


def router_check(settings: Settings) -> Check:
    """Makes it, and has it choose for one sentence twice: the second time the sentence is embedded already."""
    remedy = f"see {PREFIX}ROUTER and docs/router.md; {_FAST_ANSWERS}"

    async def ask() -> Told:
        if settings.router == OFF:
            return Told(what="off", state=State.SKIPPED)
        from media_gateway.knowledge.embedding import Embedder
        from media_gateway.routing.controller import NoController

        try:
            choice = await made_route(settings, await off_loop(Embedder))
        except SettingsError as error:
            what, _, rest = str(error).rpartition(": ")
            raise AilingError(what, rest) from None
        except NoController as error:
            what, _, rest = str(error).partition(": ")
            raise AilingError(what, f"{rest}; {_FAST_ANSWERS}") from None
        if choice is None:
            raise AilingError("there is none", remedy)
        await choice.choose(WORDS)
        began_s = perf_counter()
        chosen = await choice.choose(WORDS)
        took_ms = (perf_counter() - began_s) * 1000
        if took_ms > _SLOW_MS:
            return Told(
                what="too slow to be of use", state=State.WARNS, remedy=remedy, took_ms=took_ms
            )
        return Told(
            what=f"{settings.router}: `{chosen}` for a hard question; time to choose",
            took_ms=took_ms,
        )

    return Check(name="router", ask=ask, remedy=remedy, within_s=LOAD_WITHIN_S, is_needed=False)
