"""How checks are run: all at once, each in its time, none in another's way; and what the table says of them."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from time import perf_counter

import pytest
from rich.console import Console

from callspine.doctor.findings import (
    AilingError,
    Check,
    State,
    Told,
    examine,
    is_healthy,
    off_loop,
)
from callspine.doctor.visit import show


def check(name: str, ask: object, **more: object) -> Check:
    return Check(name=name, ask=ask, remedy="do this", **more)  # type: ignore[arg-type]


async def works() -> Told:
    return Told(what="fine", took_ms=7)


async def ails() -> Told:
    raise AilingError("broken", "mend it")


async def crashes() -> Told:
    raise ValueError("words that a vendor sent")


async def hangs() -> Told:
    await asyncio.Event().wait()
    raise AssertionError


async def test_each_check_has_its_answer_in_the_order_that_they_were_asked_in() -> None:
    findings = await examine(
        [
            check("a", hangs, within_s=0.02),
            check("b", works),
            check("c", ails),
            check("d", crashes),
            check("e", ails, is_needed=False),
        ]
    )
    assert [(f.name, f.state, f.what, f.remedy) for f in findings] == [
        ("a", State.FAILED, "no answer within 0.02 s", "do this"),
        ("b", State.WORKS, "fine", ""),
        ("c", State.FAILED, "broken", "mend it"),
        ("d", State.FAILED, "ValueError", "do this"),
        ("e", State.WARNS, "broken", "mend it"),
    ]
    assert findings[1].took_ms == 7


async def test_they_are_asked_at_once() -> None:
    """Each waits for the other: one after the other they would both run out of time."""
    met = asyncio.Barrier(2)

    async def meets() -> Told:
        await met.wait()
        return Told(what="met")

    findings = await examine([check("a", meets, within_s=5), check("b", meets, within_s=5)])
    assert is_healthy(findings)


async def test_a_library_that_hangs_beyond_its_deadline_is_left_behind() -> None:
    let_go = threading.Event()

    async def hangs_in_a_thread() -> Told:
        return await off_loop(lambda: Told(what=str(let_go.wait(30))))

    began_s = perf_counter()
    (finding,) = await examine([check("a", hangs_in_a_thread, within_s=0.05)])
    assert finding.state is State.FAILED
    assert perf_counter() - began_s < 10
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "doctor")
    assert thread.daemon, "the process does not wait for it either"
    let_go.set()
    thread.join(5)


async def test_what_a_thread_raises_is_raised_to_who_waits() -> None:
    def work() -> None:
        raise AilingError("broken", "mend it")

    with pytest.raises(AilingError, match="broken"):
        await off_loop(work)


async def test_the_table_says_what_to_do_and_whether_calls_can_be_held() -> None:
    findings = await examine([check("good", works), check("bad [one]", ails)])
    out = io.StringIO()
    assert not show(findings, Console(file=out, width=100), as_json=False)
    text = out.getvalue()
    assert "good" in text
    assert "bad [one]: mend it" in text
    assert "cannot be held" in text
    assert show(findings[:1], Console(file=io.StringIO()), as_json=False)


async def test_a_program_gets_json() -> None:
    findings = await examine([check("good", works), check("bad", ails)])
    out = io.StringIO()
    show(findings, Console(file=out), as_json=True)
    told = json.loads(out.getvalue())
    assert told["healthy"] is False
    assert [(f["name"], f["state"]) for f in told["findings"]] == [
        ("good", "works"),
        ("bad", "fails"),
    ]
