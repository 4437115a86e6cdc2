"""What a check found, and how checks are run: all at once, each in its time, none able to stop another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")


class State(StrEnum):
    """How it is."""

    WORKS = "works"
    WARNS = "look"
    """Calls go on without it, or it will be in the way later."""
    FAILED = "fails"
    SKIPPED = "not asked"


@dataclass(frozen=True, kw_only=True)
class Told:
    """A check's answer. `what` and `remedy` hold no key, number or name."""

    what: str
    state: State = State.WORKS
    remedy: str = ""
    took_ms: float | None = None
    """When the time of the whole check says little: of what it says much."""


class AilingError(Exception):
    """What was checked does not work. Says what was seen, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question."""

    name: str
    ask: Callable[[], Awaitable[Told]]
    """Raises AilingError. What else it raises counts as failed, by its type's name."""
    remedy: str
    """For a question that nobody answers in time, and for errors that the check does not know."""
    within_s: float = 10.0
    is_needed: bool = True
    """Without it no call can be held."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A check and its answer."""

    name: str
    state: State
    what: str
    took_ms: float
    remedy: str = ""


async def examine(checks: Sequence[Check]) -> list[Finding]:
    """Run all of them at once; the answers in the checks' order. Takes as long as the slowest may."""
    return list(await asyncio.gather(*(_one(check) for check in checks)))


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Nothing that is needed fails."""
    return all(finding.state is not State.FAILED for finding in findings)


async def _one(check: Check) -> Finding:
    began_s = perf_counter()

    def found(state: State, what: str, remedy: str, took_ms: float | None = None) -> Finding:
        if state is State.FAILED and not check.is_needed:
            state = State.WARNS
        took = (perf_counter() - began_s) * 1000 if took_ms is None else took_ms
        return Finding(name=check.name, state=state, what=what, took_ms=took, remedy=remedy)

    try:
        async with asyncio.timeout(check.within_s):
            told = await check.ask()
    except AilingError as error:
        return found(State.FAILED, error.what, error.remedy)
    except TimeoutError:
        return found(State.FAILED, f"no answer within {check.within_s:g} s", check.remedy)
    except Exception as error:  # noqa: BLE001  one check's trouble is no other's; texts of vendors are not shown
        return found(State.FAILED, type(error).__name__, check.remedy)
    return found(told.state, told.what, told.remedy, told.took_ms)


async def off_loop(work: Callable[[], T]) -> T:
    """Run what blocks in a thread that the process does not wait for: a library may hang beyond any deadline."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  handed to who waits
            _hand(loop, settle, None, error)
        else:
            _hand(loop, settle, result, None)

    threading.Thread(target=run, daemon=True, name="doctor").start()
    return await done


def _hand(loop: asyncio.AbstractEventLoop, settle: Callable[..., None], *how: object) -> None:
    try:
        loop.call_soon_threadsafe(settle, *how)
    except RuntimeError:
        return  # the loop is closed: nobody waits any more
