"""RouteLLM's own `Controller`, from the extra `router`, with our router registered beside its stock ones.

RouteLLM imports torch, transformers and litellm: nine seconds and half a gigabyte, and it cannot be imported without an
OPENAI_API_KEY. So it is imported in a thread at start, and only where the settings ask for it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from media_gateway.routing.own import NAME, Router

_EMBED_AT_OPENAI = ("mf", "sw_ranking")


class NoController(Exception):
    """RouteLLM cannot be used; the message says why and what to do."""


class ControllerChoice:
    """Implements `Choice`. Make it with `open`."""

    def __init__(self, controller: Any, router: str, threshold: float) -> None:
        self._controller = controller
        self._router = router
        self._threshold = threshold
        # One thread: RouteLLM's `mf` waits for OpenAI's embeddings, and a queue of old words is of no use to anybody.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="routellm")

    @classmethod
    async def open(
        cls, *, router: str, own: Router, strong: str, fast: str, threshold: float
    ) -> ControllerChoice:
        """`router`: `callspine` for ours, or one of RouteLLM's, e.g. `mf`. Takes seconds. Raises NoController."""
        controller = await asyncio.to_thread(_controller, router, own, strong, fast)
        return cls(controller, router, threshold)

    async def choose(self, words: str) -> str:
        """See `Choice`."""
        route = self._controller.route
        loop = asyncio.get_running_loop()
        return str(
            await loop.run_in_executor(self._thread, route, words, self._router, self._threshold)
        )


def _controller(router: str, own: Router, strong: str, fast: str) -> Any:
    if find_spec("routellm") is None:
        raise NoController("RouteLLM is not installed: pip install 'callspine[router]'")
    if router in _EMBED_AT_OPENAI and not os.environ.get("OPENAI_API_KEY"):
        raise NoController(f"RouteLLM's {router} embeds at OpenAI: set OPENAI_API_KEY")
    try:
        with _importable():
            from routellm.controller import Controller
            from routellm.routers import routers

            if router == NAME:
                _register(routers, own)
            if router not in routers.ROUTER_CLS:
                there = ", ".join(sorted(routers.ROUTER_CLS))
                raise NoController(f"RouteLLM has no router {router!r}; it has {there}")
            config: dict[str, Any] | None = (
                {NAME: {}} if router == NAME else None
            )  # None: RouteLLM's own weights
            return Controller([router], strong_model=strong, weak_model=fast, config=config)
    except NoController:
        raise
    except Exception as error:
        raise NoController(
            f"RouteLLM's {router} could not be loaded ({type(error).__name__}): its weights come from the Hugging Face "
            "hub, unless HF_HOME has them"
        ) from error


@contextmanager
def _importable() -> Iterator[None]:
    """RouteLLM makes an OpenAI client while it is imported, and litellm would fetch its list of prices."""
    lacking = {
        name: value
        for name, value in (("OPENAI_API_KEY", "none"), ("LITELLM_LOCAL_MODEL_COST_MAP", "True"))
        if name not in os.environ
    }
    os.environ.update(lacking)
    try:
        yield
    finally:
        for name in lacking:
            del os.environ[name]


def _register(routers: Any, own: Router) -> None:
    class EmbeddingRouter(routers.Router):  # type: ignore[misc]
        """Ours, as RouteLLM wants one."""

        NO_PARALLEL = True

        def calculate_strong_win_rate(self, prompt: str) -> float:
            return own.calculate_strong_win_rate(prompt)

    routers.ROUTER_CLS[NAME] = EmbeddingRouter
    routers.NAME_TO_CLS[EmbeddingRouter] = NAME
