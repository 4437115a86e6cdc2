"""The outbox with a courier that fails on demand: order, independence, restart, bounds, and what it says aloud."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.typing import EventDict

from media_gateway.outbox import outbox as subject
from media_gateway.outbox.outbox import Outbox
from tests.outbox.post import Post, until

TEN = [f"message {n}" for n in range(10)]


def put_all(outbox: Outbox, call_id: str, messages: list[str]) -> None:
    for message in messages:
        outbox.put(call_id, "turn_completed", message)


def events(logs: list[EventDict]) -> list[str]:
    return [line["event"] for line in logs]


async def test_letters_of_a_call_go_out_in_order_and_leave_the_file(path: Path) -> None:
    post = Post()
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", TEN)
    assert outbox.depth == 10
    assert await outbox.flush("a", within_s=10)
    assert post.of("a") == TEN
    assert (outbox.depth, outbox.oldest_age_s) == (0, 0.0)
    assert await outbox.close(within_s=1) == 0
    again = await Outbox.open(path, post)
    assert again.depth == 0
    assert await again.close(within_s=1) == 0


async def test_a_call_that_cannot_be_reached_holds_no_other(path: Path) -> None:
    post = Post(away={"a"})
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", TEN)
    put_all(outbox, "b", TEN)
    assert await outbox.flush("b", within_s=10)
    assert post.of("b") == TEN
    assert not await outbox.flush("a", within_s=0.05)
    await until(lambda: post.tries["a"] >= 3)
    assert post.of("a") == []
    post.away.clear()
    assert await outbox.flush("a", within_s=10)
    assert post.of("a") == TEN
    await outbox.close(within_s=1)


async def test_every_try_of_a_letter_has_the_same_request_id_even_after_a_restart(
    path: Path,
) -> None:
    post = Post(away={"a"})
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", TEN)
    await until(lambda: post.tries["a"] >= 2)
    await outbox.close(within_s=0)
    post.away.clear()
    outbox = await Outbox.open(path, post)
    assert await outbox.flush("a", within_s=10)
    assert [len(post.request_ids[message]) for message in TEN] == [1] * 10
    assert len(set.union(*post.request_ids.values())) == 10
    await outbox.close(within_s=1)


async def test_what_is_left_goes_out_before_what_is_new(path: Path, logs: list[EventDict]) -> None:
    post = Post(away={"a", "b"})
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", TEN[:4])
    put_all(outbox, "b", ["other"])
    assert await outbox.close(within_s=0.05) == 5
    (left,) = [line for line in logs if line["event"] == "outbox_left"]
    assert (left["messages"], left["file"]) == (5, str(path))

    post.away = {"b"}
    outbox = await Outbox.open(path, post)
    assert outbox.depth == 5
    put_all(outbox, "a", TEN[4:])
    assert await outbox.flush("a", within_s=10)
    assert post.of("a") == TEN
    assert await outbox.close(within_s=0.05) == 1
    outbox = await Outbox.open(path, Post(away={"b"}))
    assert outbox.depth == 1
    assert outbox.oldest_age_s > 0
    await outbox.close(within_s=0)


async def test_a_call_whose_workflow_is_over_costs_a_warning(
    path: Path, logs: list[EventDict]
) -> None:
    outbox = await Outbox.open(path, Post(unknown={"a"}))
    put_all(outbox, "a", TEN)
    assert await outbox.flush("a", within_s=10)
    assert await outbox.close(within_s=1) == 0
    assert events(logs).count("workflow_not_reachable") == 10
    reopened = await Outbox.open(path, Post())
    assert reopened.depth == 0
    await reopened.close(within_s=0)


async def test_what_cannot_be_encoded_is_never_written_and_goes_out_once_it_can(
    path: Path, logs: list[EventDict]
) -> None:
    post = Post(away={"a"}, cannot_seal={"message 1"})
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", TEN[:3])
    assert not await outbox.written(), "it says that not all of it is on disk"
    assert [line["log_level"] for line in logs if line["event"] == "outbox_not_encoded"] == [
        "critical"
    ]
    on_disk = b"".join(part.read_bytes() for part in path.parent.iterdir())
    assert b"message 0" in on_disk
    assert b"message 1" not in on_disk
    assert b"message 2" in on_disk

    post.away.clear()
    await until(lambda: post.of("a") == ["message 0"])
    await until(lambda: "outbox_cannot_send" in events(logs))
    post.cannot_seal.clear()
    assert await outbox.flush("a", within_s=10)
    assert post.of("a") == TEN[:3]
    await outbox.close(within_s=1)


async def test_what_can_never_be_encoded_is_dropped_in_its_turn_and_holds_up_nothing(
    path: Path, logs: list[EventDict]
) -> None:
    post = Post(never_sealed={"message 1"})
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", TEN[:3])
    assert await outbox.flush("a", within_s=10)
    assert post.of("a") == ["message 0", "message 2"]
    assert post.lost == [("a", "forgotten")]
    assert "outbox_not_encoded" not in events(logs)
    assert await outbox.close(within_s=1) == 0
    assert "outbox_lost" not in events(logs)


async def test_a_letter_that_was_never_encoded_is_counted_as_lost_at_the_end(
    path: Path, logs: list[EventDict]
) -> None:
    outbox = await Outbox.open(path, Post(away={"a"}, cannot_seal={"message 1"}))
    put_all(outbox, "a", TEN[:3])
    assert await outbox.close(within_s=0.05) == 3
    by_event = {line["event"]: line for line in logs}
    assert by_event["outbox_lost"]["messages"] == 1
    assert by_event["outbox_left"]["messages"] == 2


async def test_a_full_outbox_refuses_the_newest_aloud(
    path: Path, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MOST_OF_A_CALL", 3)
    monkeypatch.setattr(subject, "MOST_OF_ALL", 5)
    post = Post(away={"a", "b"})
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", TEN)
    put_all(outbox, "b", TEN)
    assert outbox.depth == 5
    refused = [line for line in logs if line["event"] == "outbox_full"]
    assert len(refused) == 15
    assert {line["log_level"] for line in refused} == {"critical"}
    post.away.clear()
    assert await outbox.flush("a", within_s=10)
    assert await outbox.flush("b", within_s=10)
    assert (post.of("a"), post.of("b")) == (TEN[:3], TEN[:2])
    await outbox.close(within_s=1)


async def test_whoever_puts_is_told_whether_the_message_was_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MOST_OF_A_CALL", 1)
    outbox = await Outbox.open(path, Post(away={"a"}))
    assert outbox.put("a", "turn_completed", "first")
    assert not outbox.put("a", "turn_completed", "one too many")
    assert outbox.put("b", "turn_completed", "another call's")
    await outbox.close(within_s=0)
    assert not outbox.put("b", "turn_completed", "after the end")


async def test_the_courier_is_told_once_of_each_letter_that_is_dropped(path: Path) -> None:
    post = Post(unknown={"a"})
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", TEN[:2])
    put_all(outbox, "b", TEN[:2])
    assert await outbox.flush("a", within_s=10)
    assert post.lost == [("a", "NOT_FOUND")] * 2
    await outbox.close(within_s=1)


async def test_growth_is_told_at_each_step_and_once_when_it_is_over(
    path: Path, logs: list[EventDict]
) -> None:
    post = Post(away={"a"})
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", [str(n) for n in range(600)])
    grows = [line for line in logs if line["event"] == "outbox_grows"]
    assert [line["depth"] for line in grows] == [100, 500]
    assert all(line["oldest_age_s"] >= 0 for line in grows)
    post.away.clear()
    assert await outbox.flush("a", within_s=20)
    assert [line["depth"] for line in logs if line["event"] == "outbox_back"] == [49]
    await outbox.close(within_s=1)


async def test_what_is_handed_over_while_it_closes_is_written_and_after_it_refused_aloud(
    path: Path, logs: list[EventDict]
) -> None:
    post = Post(away={"a"})
    outbox = await Outbox.open(path, post)
    put_all(outbox, "a", TEN[:1])
    closing = asyncio.create_task(outbox.close(within_s=0.2))
    await asyncio.sleep(0)
    put_all(outbox, "a", TEN[1:2])
    put_all(outbox, "b", TEN[2:3])
    assert await closing == 2
    put_all(outbox, "a", TEN[3:])
    assert events(logs).count("outbox_closed") == 7
    assert await outbox.close(within_s=1) == 2, "a second close changes nothing"
    reopened = await Outbox.open(path, Post())
    assert await reopened.flush("a", within_s=10)
    await reopened.close(within_s=1)
    assert post.of("b") == ["message 2"]
