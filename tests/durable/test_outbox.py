"""The outbox in front of a real Temporal: away and back, a gateway that was killed, a codec, and what is final."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.testing import WorkflowEnvironment

from callspine.gateway import open_link
from callspine.settings import Settings, SettingsError
from callspine.temporal_server import temporal_cli
from media_gateway import workflow_link
from media_gateway.outbox.letter import DeliveryFailed, Letter, Undeliverable
from media_gateway.outbox.outbox import Outbox
from media_gateway.sessions import Sessions
from media_gateway.signals import SignalCourier
from media_gateway.workflow_link import TemporalLink
from tests.durable import dying_gateway
from tests.durable.cable import cable_to
from tests.durable.house import CALL_SID, Handle, House, start, until
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.payloads import (
    AttachRequest,
    CallSnapshot,
    CarrierStatus,
    CarrierUpdate,
    TurnCompleted,
    TurnKind,
)

REQUEST = AttachRequest(gateway_id="g1", call_sid=CALL_SID, stream_sid="MZ1", nonce="n1")
AGAIN = replace(REQUEST, stream_sid="MZ2", nonce="n2")
OPENING = TurnCompleted(epoch=1, seq=1, kind=TurnKind.OPENING)
WORDS = "my roof is made of marzipan"


@pytest.fixture
def outbox_file(tmp_path: Path) -> Path:
    return tmp_path / "outbox" / "g1.db"


def spoken(seq: int) -> TurnCompleted:
    return TurnCompleted(epoch=1, seq=seq, kind=TurnKind.REPLY, caller_words=f"{WORDS}, {seq}")


async def with_an_opening(client: Client, outbox_file: Path) -> tuple[Handle, TemporalLink]:
    """A call with its first stream and turn."""
    handle = await start(client, call_id="c1")
    await until(handle, contract.PLACE_CALL)
    link = await TemporalLink.open(client, outbox_file)
    link.carrier_status("c1", CarrierUpdate(call_sid=CALL_SID, status=CarrierStatus.IN_PROGRESS))
    await link.attach("c1", REQUEST)
    link.turn_completed("c1", OPENING)
    assert await link.flush("c1", within_s=10)
    return handle, link


async def snapshot(handle: Handle) -> CallSnapshot:
    return await handle.query(CallWorkflow.snapshot)


async def test_temporal_away_and_back(
    environment: WorkflowEnvironment, house: House, outbox_file: Path
) -> None:
    address = environment.client.service_client.config.target_host
    async with cable_to(address) as cable, house.open(environment.client):
        handle, link = await with_an_opening(await Client.connect(cable.address), outbox_file)
        await cable.cut()
        for seq in range(2, 8):
            link.turn_completed("c1", spoken(seq))
        assert not await link.flush("c1", within_s=0.5)
        assert link.depth == 6
        assert link.oldest_age_s > 0

        await cable.mend()
        assert await link.flush("c1", within_s=20)
        handle = environment.client.get_workflow_handle_for(CallWorkflow.run, handle.id)
        now = await snapshot(handle)
        assert [turn.seq for turn in now.turns] == list(range(1, 8))
        assert now.ignored_signals == 0
        assert (link.depth, link.oldest_age_s) == (0, 0.0)
        await link.close()
        await handle.terminate()


class Slow(SignalCourier):
    """An attach overtakes its signals, where nobody waits."""

    async def deliver(self, letter: Letter) -> None:
        await asyncio.sleep(0.1)
        await super().deliver(letter)


class Stuck(SignalCourier):
    """Its signals never arrive."""

    async def deliver(self, letter: Letter) -> None:
        raise DeliveryFailed("stuck")


async def test_a_gateway_that_was_killed_tells_its_turns_before_it_takes_the_call_again(
    client: Client, house: House, outbox_file: Path
) -> None:
    async with house.open(client):
        handle, link = await with_an_opening(client, outbox_file)
        await link.close()
        died = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", dying_gateway.__name__, str(outbox_file)],
            check=False,
            timeout=60,
        )
        assert died.returncode == -9

        link = TemporalLink(client, await Outbox.open(outbox_file, Slow(client)))
        attached = await link.attach("c1", AGAIN)
        assert attached.next_seq == dying_gateway.TURNS.stop
        turn = replace(spoken(attached.next_seq), epoch=attached.epoch)
        link.turn_completed("c1", turn)
        assert await link.flush("c1", within_s=10)
        now = await snapshot(handle)
        assert [turn.seq for turn in now.turns] == list(range(1, 8))
        assert [turn.caller_words for turn in now.turns[1:6]] == [
            f"words {seq}" for seq in dying_gateway.TURNS
        ]
        assert now.ignored_signals == 0
        await link.close()
        await handle.terminate()


async def test_a_call_does_not_wait_for_ever_for_its_older_messages(
    client: Client, house: House, outbox_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_link, "LEFT_OVER_WITHIN_S", 0.1)
    async with house.open(client):
        handle, link = await with_an_opening(client, outbox_file)
        await link.close()
        link = TemporalLink(client, await Outbox.open(outbox_file, Stuck(client)))
        link.turn_completed("c1", spoken(2))
        with capture_logs() as logs:
            attached = await link.attach("c1", AGAIN)
        assert (attached.epoch, attached.next_seq) == (2, 2)
        assert "attach_before_older_messages" in [line["event"] for line in logs]
        await link.close(within_s=0)
        await handle.terminate()


class Rot(PayloadCodec):
    """As little of a cipher as will do; without its key it refuses."""

    has_key = True

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if not self.has_key:
            raise ValueError("no key")
        return [
            Payload(metadata={"encoding": b"binary/rot"}, data=self._turn(p.SerializeToString()))
            for p in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload.FromString(self._turn(p.data)) if p.metadata["encoding"] == b"binary/rot" else p
            for p in payloads
        ]

    def _turn(self, data: bytes) -> bytes:
        return bytes(byte ^ 0x5A for byte in data)


async def with_codec(client: Client, codec: PayloadCodec) -> Client:
    return await Client.connect(
        client.service_client.config.target_host, data_converter=DataConverter(payload_codec=codec)
    )


def on_disk(outbox_file: Path) -> bytes:
    """The file, its log, and whatever else lies there."""
    return b"".join(part.read_bytes() for part in outbox_file.parent.iterdir())


async def test_with_a_codec_no_plain_text_is_on_disk_and_the_workflow_can_read_it(
    client: Client, house: House, outbox_file: Path
) -> None:
    client = await with_codec(client, Rot())
    address = client.service_client.config.target_host
    async with cable_to(address) as cable, house.open(client):
        handle, link = await with_an_opening(client, outbox_file)
        await link.close()
        far = await Client.connect(cable.address, data_converter=client.data_converter)
        await cable.cut()
        link = await TemporalLink.open(far, outbox_file)
        link.turn_completed("c1", spoken(2))
        assert await link.written()
        held = on_disk(outbox_file)
        await link.close(within_s=0)
        for kept in (held, on_disk(outbox_file)):
            assert b"turn_completed" in kept
            assert b"marzipan" not in kept
            assert b"caller_words" not in kept

        link = await TemporalLink.open(client, outbox_file)
        assert await link.flush("c1", within_s=10)
        assert (await snapshot(handle)).turns[1].caller_words == f"{WORDS}, 2"
        await link.close()
        await handle.terminate()


async def test_a_codec_without_its_key_writes_nothing_and_says_so(
    client: Client, house: House, outbox_file: Path
) -> None:
    codec = Rot()
    client = await with_codec(client, codec)
    async with house.open(client):
        handle, link = await with_an_opening(client, outbox_file)
        codec.has_key = False
        with capture_logs() as logs:
            link.turn_completed("c1", spoken(2))
            assert not await link.written()
        assert {"outbox_not_encoded"} <= {line["event"] for line in logs}
        assert WORDS not in str(logs)
        assert b"marzipan" not in on_disk(outbox_file)
        codec.has_key = True
        assert await link.flush("c1", within_s=10)
        assert (await snapshot(handle)).turns[1].caller_words == f"{WORDS}, 2"
        await link.close()
        await handle.terminate()


@pytest.fixture
async def full_server() -> AsyncIterator[Client]:
    """The dev server: the one that skips time knows neither request ids nor namespaces."""
    cli = str(temporal_cli())
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=cli) as environment:
        yield environment.client


async def test_a_signal_that_is_sent_again_is_taken_once(full_server: Client) -> None:
    handle = await full_server.start_workflow("Anything", id="call/c1", task_queue="nobody")
    courier = SignalCourier(full_server)
    body = await courier.seal("c1", OPENING)
    letter = Letter(
        number=1, call_id="c1", kind="turn_completed", request_id="r1", at_s=0.0, body=body
    )
    for _ in range(3):
        await courier.deliver(letter)
    await courier.deliver(replace(letter, request_id="r2"))
    signals = [
        event.workflow_execution_signaled_event_attributes.signal_name
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert signals == ["turn_completed"] * 2
    with pytest.raises(Undeliverable, match="NOT_FOUND"):
        await courier.deliver(replace(letter, call_id="nobody"))
    with pytest.raises(Undeliverable, match="too many"):
        await courier.deliver(replace(letter, body=await courier.seal("c1", "x" * 6_000_000)))


async def test_a_wrong_namespace_drops_nothing(full_server: Client, outbox_file: Path) -> None:
    address = full_server.service_client.config.target_host
    astray = await Client.connect(address, namespace="no-such-namespace")
    link = await TemporalLink.open(astray, outbox_file)
    link.turn_completed("c1", OPENING)
    assert not await link.flush("c1", within_s=0.5)
    await link.close(within_s=0)
    assert link.depth == 1


async def test_a_second_gateway_of_one_name_is_told_which_variable_to_set(
    client: Client, tmp_path: Path
) -> None:
    settings = Settings(_env_file=None, outbox_dir=tmp_path, gateway_id="g7")
    link = await open_link(settings, client, Sessions())
    assert (tmp_path / "g7.db").is_file()
    with pytest.raises(SettingsError, match="CALLSPINE_GATEWAY_ID"):
        await open_link(settings, client, Sessions())
    other = await open_link(settings.model_copy(update={"gateway_id": "g8"}), client, Sessions())
    await other.close()
    await link.close()
    again = await open_link(settings, client, Sessions())
    await again.close()


async def test_a_file_that_cannot_be_used_is_told_with_the_variable_to_set(
    client: Client, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings = Settings(_env_file=None, outbox_dir=tmp_path / "file")
    with pytest.raises(SettingsError, match="CALLSPINE_OUTBOX_DIR"):
        await open_link(settings, client, Sessions())
