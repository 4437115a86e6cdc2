"""`callspine call replay` of calls whose words Temporal does not hold: told again with the key and the database only."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from callspine.connect import data_converter
from callspine.privacy.keys import new_key
from callspine.privacy.word_store import WordStore
from callspine.replay import retold_from_file
from callspine.settings import Settings, SettingsError
from tests.durable.house import House
from tests.privacy.histories import ENCRYPTED, client_with, settings
from tests.replay.record import CALLS


async def exported(client: Client, house: House, chosen: Settings, folder: Path) -> Path:
    """A call that sells, to its end, as its history would be exported."""
    seeing = client_with(client, data_converter(chosen))
    async with house.open(seeing):
        handle = await CALLS["appointment"](seeing, house)
        await handle.result()
    path = folder / "history.json"
    text = (await handle.fetch_history()).to_json()
    await asyncio.to_thread(path.write_text, text, encoding="utf-8")
    return path


async def test_an_encrypted_call_is_told_again_with_its_key_only(
    client: Client, house: House, tmp_path: Path
) -> None:
    path = await exported(client, house, settings(**ENCRYPTED), tmp_path)
    retold = await retold_from_file(settings(**ENCRYPTED), path, "recorded")
    assert len(retold.told.decisions) == 10
    assert retold.recorded is not None
    assert retold.differences == []
    with pytest.raises(SettingsError, match="add k1:<its key> to CALLSPINE_CODEC_KEYS"):
        await retold_from_file(settings(codec_keys=new_key("k2")), path, "recorded")
    with pytest.raises(SettingsError, match="set CALLSPINE_CODEC_KEYS to k1:<its key>"):
        await retold_from_file(settings(), path, "recorded")


async def test_a_stored_call_is_told_again_until_its_words_are_forgotten(
    client: Client, house: House, tmp_path: Path
) -> None:
    chosen = settings(transcripts="store", database_url=f"sqlite:///{tmp_path}/words.db")
    path = await exported(client, house, chosen, tmp_path)
    assert (await retold_from_file(chosen, path, "recorded")).differences == []
    elsewhere = settings(transcripts="store", database_url=f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(SettingsError, match="not in this process's database"):
        await retold_from_file(elsewhere, path, "recorded")
    store = WordStore(chosen.database_url)
    store.forget("call/recorded")
    store.close()
    with pytest.raises(SettingsError, match=r"were deleted on .* neither read nor replayed"):
        await retold_from_file(chosen, path, "recorded")
