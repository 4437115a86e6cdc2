"""Whole calls whose words are in the database: what Temporal holds, what a look costs, and how a call is forgotten."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from callspine.connect import data_converter, payload_codec
from callspine.privacy import forget
from callspine.privacy.codec import CodecError
from callspine.privacy.word_store import Words, WordStore
from callspine.privacy.word_threads import CallForgotten, WordStoreAway
from callspine.privacy.words_codec import WordsCodec, WordsForgotten
from callspine.settings import Settings, SettingsError
from media_gateway.workflow_link import TemporalLink
from tests.durable.house import House, attach, opening, start, until
from tests.privacy.histories import ENCRYPTED, client_with, readable, said, settings
from tests.replay.record import CALLS
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.payloads import CallResult, TurnCompleted, TurnKind

CALL = "call/recorded"
WORDS = Payload(metadata={"encoding": b"json/plain"}, data=b'"it is metal"')
Handle = WorkflowHandle[CallWorkflow, CallResult]


@pytest.fixture(params=["plain rows", "encrypted rows"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    keys = ENCRYPTED if request.param == "encrypted rows" else {}
    return settings(transcripts="store", database_url=f"sqlite:///{tmp_path}/db/words.db", **keys)


@contextmanager
def database(chosen: Settings) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(chosen.database_url.removeprefix("sqlite:///"))) as connection:
        yield connection


def rows(chosen: Settings) -> list[bytes]:
    with database(chosen) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM call_words")]


async def whole_call(client: Client, house: House, chosen: Settings) -> tuple[Handle, set[str]]:
    """A call that sells, to its end, and what was said in it."""
    seeing = client_with(client, data_converter(chosen))
    async with house.open(seeing):
        handle = await CALLS["appointment"](seeing, house)
        result = await handle.result()
    return handle, said(result)


async def replay(history: WorkflowHistory, chosen: Settings) -> None:
    replayer = Replayer(workflows=[CallWorkflow], data_converter=data_converter(chosen))
    await replayer.replay_workflow(history)


async def codec_of_a_call(chosen: Settings) -> WordsCodec:
    context = WorkflowSerializationContext(namespace="default", workflow_id=CALL)
    return payload_codec(chosen).with_context(context)


async def test_the_history_holds_no_word(client: Client, house: House, stored: Settings) -> None:
    handle, words = await whole_call(client, house, stored)
    text = readable(await handle.fetch_history())
    assert len(words) > 10
    assert [word for word in words if word in text] == []
    assert "+12125550142" not in text


async def test_rows_are_encrypted_when_there_is_a_key(
    client: Client, house: House, stored: Settings
) -> None:
    _, words = await whole_call(client, house, stored)
    kept = b"\n".join(rows(stored)).decode("utf-8", "replace")
    shows = [word for word in words if word in kept]
    assert shows == [] if stored.codec_keys.get_secret_value() else set(shows) == words


async def test_a_replay_keeps_nothing_twice(client: Client, house: House, stored: Settings) -> None:
    handle, _ = await whole_call(client, house, stored)
    before = len(rows(stored))
    await replay(await handle.fetch_history(), stored)
    assert len(rows(stored)) == before


async def test_looking_at_a_call_keeps_nothing(
    client: Client, house: House, stored: Settings
) -> None:
    seeing = client_with(client, data_converter(stored))
    async with house.open(seeing):
        handle = await start(seeing)
        await until(handle, contract.PLACE_CALL)
        await attach(handle)
        await opening(handle)
        await handle.query(CallWorkflow.snapshot)
        before = len(rows(stored))
        await opening(handle)  # the same turn again: kept already, and counted as ignored
        assert (await handle.query(CallWorkflow.snapshot)).ignored_signals == 1
        assert "Ignored" in str(await handle.query("__temporal_workflow_metadata")) or True
        assert len(rows(stored)) == before


async def test_a_call_goes_on_when_the_setting_is_taken_back(
    client: Client, house: House, stored: Settings
) -> None:
    handle, _ = await whole_call(client, house, stored)
    await replay(await handle.fetch_history(), stored.model_copy(update={"transcripts": "history"}))


async def test_another_database_is_told_from_a_forgotten_call(
    client: Client, house: House, stored: Settings, tmp_path: Path
) -> None:
    handle, _ = await whole_call(client, house, stored)
    elsewhere = stored.model_copy(update={"database_url": f"sqlite:///{tmp_path}/other.db"})
    with pytest.raises(RuntimeError, match="need the same CALLSPINE_DATABASE_URL"):
        await replay(await handle.fetch_history(), elsewhere)


async def test_a_forgotten_call_says_so_and_leaves_no_word(
    client: Client, house: House, stored: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, words = await whole_call(client, house, stored)
    history = await handle.fetch_history()
    seeing = client_with(client, data_converter(stored))
    monkeypatch.setattr(forget, "connect", lambda _: _ready(seeing))
    told = await forget.forget_call(stored, "recorded")
    assert "payloads deleted" in told
    assert "neither read nor replayed" in told
    assert rows(stored) == []
    with database(stored) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file = Path(stored.database_url.removeprefix("sqlite:///")).read_bytes()
    assert [word for word in words if word.encode() in file] == []
    with pytest.raises(RuntimeError, match=r"the words of call/recorded were deleted on 2\d"):
        await replay(history, stored)
    with pytest.raises(WordsForgotten, match="neither read nor replayed"):
        await seeing.get_workflow_handle_for(CallWorkflow.run, CALL).result()
    assert "0 payloads deleted" in await forget.forget_call(stored, "recorded")


async def test_a_running_call_is_not_forgotten(
    client: Client, house: House, stored: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeing = client_with(client, data_converter(stored))
    monkeypatch.setattr(forget, "connect", lambda _: _ready(seeing))
    handle = await start(seeing, call_id="live")
    with pytest.raises(SettingsError, match="call/live is still running"):
        await forget.forget_call(stored, "live")
    assert rows(stored)
    await handle.terminate()


async def test_a_call_without_words_in_the_database_is_told_where_they_are(
    client: Client, stored: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forget, "connect", lambda _: _ready(client))
    with pytest.raises(SettingsError, match="temporal workflow delete --workflow-id call/nobody"):
        await forget.forget_call(stored, "nobody")


async def _ready(client: Client) -> Client:
    return client


async def test_no_word_is_kept_after_a_call_was_forgotten(stored: Settings) -> None:
    codec = await codec_of_a_call(stored)
    await codec.encode([WORDS])
    WordStore(stored.database_url).forget(CALL)
    with pytest.raises(CallForgotten) as refused:
        await codec.encode([WORDS])
    assert refused.value.status is RPCStatusCode.NOT_FOUND  # a sender gives up
    assert rows(stored) == []


async def test_a_gateway_gives_a_forgotten_calls_turn_up(stored: Settings, tmp_path: Path) -> None:
    nobody = await Client.connect("127.0.0.1:9", lazy=True, data_converter=data_converter(stored))
    refused: list[str] = []
    link = await TemporalLink.open(nobody, tmp_path / "outbox.db", refused.append)
    WordStore(stored.database_url).forget("call/c1")
    link.turn_completed("c1", TurnCompleted(epoch=1, seq=2, kind=TurnKind.REPLY))
    assert await link.flush("c1", within_s=10)
    assert (refused, link.depth) == (["c1"], 0)
    await link.close()


async def test_what_is_no_calls_stays_in_the_history(stored: Settings) -> None:
    codec = payload_codec(stored)
    other = WorkflowSerializationContext(namespace="default", workflow_id="campaign/spring")
    [encoded] = await codec.with_context(other).encode([WORDS])
    assert await codec.decode([encoded]) == [WORDS]
    assert not Path(stored.database_url.removeprefix("sqlite:///")).exists()


async def test_equal_payloads_share_a_row_and_references_are_not_kept_again(
    stored: Settings,
) -> None:
    codec = await codec_of_a_call(stored)
    first, second = await codec.encode([WORDS, WORDS])
    assert first == second
    assert await codec.encode([first]) == [first]
    assert len(rows(stored)) == 1
    assert await codec.decode([first, WORDS]) == [WORDS, WORDS]


async def test_a_changed_reference_is_refused(stored: Settings) -> None:
    codec = await codec_of_a_call(stored)
    [reference] = await codec.encode([WORDS])
    reference.data = b"[]"
    with pytest.raises(CodecError, match="it was changed"):
        await codec.decode([reference])


async def test_a_database_that_is_away_is_like_temporal_being_away(
    stored: Settings,
) -> None:
    """A gateway tries an RPCError with this status again; nothing goes into the history meanwhile."""
    codec = await codec_of_a_call(stored)
    await codec.encode([WORDS])
    with database(stored) as connection:
        connection.execute("ALTER TABLE call_words RENAME TO away")
    with pytest.raises(RPCError, match="CALLSPINE_DATABASE_URL") as away:
        await codec.encode([Payload(data=b"other words")])
    assert away.value.status is RPCStatusCode.UNAVAILABLE
    assert isinstance(away.value, WordStoreAway)
    assert "other words" not in str(away.value)
    assert away.value.__cause__ is None


def test_processes_that_keep_the_same_words_at_once_agree(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/words.db"
    together = threading.Barrier(8)

    def keep(_: int) -> list[str]:
        store = WordStore(url)
        together.wait(10)
        keys = []
        for number in range(20):
            keys += store.keep(CALL, [Words(fingerprint=str(number), body=b"it is metal")])
        store.close()
        return keys

    with ThreadPoolExecutor(8) as threads:
        first, *others = threads.map(keep, range(8))
    assert all(keys == first for keys in others)
    assert len(set(first)) == 20
