"""One trace a call: gateway, workflow and activities, whoever started it; and nothing that a replay would notice."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode
from temporalio.client import Client
from temporalio.worker import Replayer

from callspine.settings import Settings, SettingsError
from callspine.tracing import Tracing, open_tracing
from callspine.tracing_ids import call_of, trace_of
from callspine.tracing_turns import TracedStreams, steps_of
from media_gateway.metrics.ports import TurnSeen
from tests.durable.conftest import skipping_time
from tests.durable.house import (
    CALL_SID,
    House,
    attach,
    start,
    talk_to_an_appointment,
    tell,
    until,
)
from tests.replay.test_replay import FILES, history
from tests.servers import serving
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.payloads import CarrierStatus, StreamEnded, TurnKind, TurnTimings


class Kept(SpanExporter):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS

    def named(self, name: str) -> ReadableSpan:
        (span,) = (span for span in self.spans if span.name == name)
        return span


def tracing(kept: Kept, share: float = 1.0) -> Tracing:
    return Tracing("tests", "t1", kept, share=share)


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


TIMES = TurnTimings(
    speech_end_at_ms=5000,
    begun_ahead=-200,
    request_sent=-190,
    first_token=60,
    move_chosen=80,
    first_words=120,
    first_audio=250,
    end_of_turn=300,
    first_audio_sent=301,
    first_audio_played=301,
)
TURN = TurnSeen(
    kind=TurnKind.REPLY,
    seq=2,
    timings=TIMES,
    over_at_ms=7000,
    stage="homeowner",
    move="permission_given",
    refusal="",
    has_opener=False,
    prompt_tokens=700,
    tokens_written=12,
)


async def test_a_call_is_one_trace_though_nobody_who_starts_it_traces() -> None:
    kept, house = Kept(), House()
    traced = tracing(kept)
    async with skipping_time() as environment:
        plain = environment.client
        config = plain.config()
        config["interceptors"] = traced.interceptors
        client = Client(**config)
        async with house.open(client):
            handle = await start(plain, call_id="c1")  # as Temporal's UI would
            await until(handle, contract.PLACE_CALL)
            gateway = client.get_workflow_handle_for(CallWorkflow.run, handle.id)
            await tell(handle, CarrierStatus.IN_PROGRESS)
            await attach(gateway)
            stream = traced.observers.open(
                "c1",
                epoch=1,
                started_s=asyncio.get_running_loop().time(),
                is_resumed=False,
            )
            await talk_to_an_appointment(handle)
            stream.turn_over(TURN)
            stream.closed(turns=10, is_lost=False)
            await gateway.execute_update(CallWorkflow.stream_ended, StreamEnded(call_sid=CALL_SID))
            await tell(handle, CarrierStatus.COMPLETED, duration_s=81)
            await handle.result()
            recorded = await handle.fetch_history()
    traced.close()
    wanted = trace_of("c1")
    assert {span.context.trace_id for span in kept.spans if span.context} == {wanted.trace_id}
    root = kept.named("call")
    assert root.parent is None
    assert id_of(root) == wanted.root_span_id
    assert 0 < (root.start_time or 0) <= (root.end_time or 0)
    names = {span.name for span in kept.spans}
    assert {
        "RunWorkflow:CallWorkflow",
        "RunActivity:place_call",
        "RunActivity:write_outcome",
        "StartWorkflowUpdate:attach",
        "HandleSignal:turn_completed",
        "media stream",
        "turn reply",
    } <= names
    known = {id_of(span) for span in kept.spans}
    assert all(span.parent is None or span.parent.span_id in known for span in kept.spans), (
        "no span hangs in the air"
    )
    # What was commanded is what commands without tracing, and the other way round.
    await Replayer(workflows=[CallWorkflow]).replay_workflow(recorded)
    again = Kept()
    replaying = tracing(again)
    replayer = Replayer(workflows=[CallWorkflow], interceptors=replaying.interceptors)
    await replayer.replay_workflow(recorded)
    replaying.close()
    assert again.spans == [], "a replay is nothing that happened"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_recorded_calls_replay_with_tracing_on(path: Path) -> None:
    interceptors = tracing(Kept()).interceptors
    replayer = Replayer(workflows=[CallWorkflow], interceptors=interceptors)
    await replayer.replay_workflow(history(path.read_text(encoding="utf-8")))


async def test_a_failed_activity_leaves_its_kind_and_none_of_its_words() -> None:
    kept, house = Kept(), House(write_failures=1, dial="refused")
    traced = tracing(kept)
    async with skipping_time() as environment:
        config = environment.client.config()
        config["interceptors"] = traced.interceptors
        client = Client(**config)
        async with house.open(client):
            handle = await start(client, call_id="c2", to="+12125550142")
            await handle.result()
    traced.close()
    failed = [span for span in kept.spans if span.status.status_code is StatusCode.ERROR]
    assert {"RunActivity:place_call", "RunActivity:write_outcome"} <= {s.name for s in failed}
    assert all(span.status.description is None for span in kept.spans)
    told = "".join(span.to_json() for span in kept.spans)
    for words in ("21211", "the CRM is away", "+1212", "Traceback"):
        assert words not in told
    assert '"exception.type"' in told


def _observed(kept: Kept, tell: Callable[[TracedStreams], None]) -> None:
    traced = tracing(kept)
    observers = traced.observers
    assert isinstance(observers, TracedStreams)
    tell(observers)
    traced.close()


async def test_a_turns_spans_lie_where_its_stamps_say() -> None:
    kept = Kept()
    now_s = asyncio.get_running_loop().time()

    def one_turn(observers: TracedStreams) -> None:
        stream = observers.open("c3", epoch=2, started_s=now_s, is_resumed=True)
        stream.turn_over(TURN)
        stream.closed(turns=1, is_lost=True)

    _observed(kept, one_turn)
    stream, turn = kept.named("media stream"), kept.named("turn reply")
    assert turn.parent is not None
    assert turn.parent.span_id == id_of(stream)
    assert (stream.attributes or {})["callspine.lost"] is True
    assert stream.start_time is not None
    begins = {
        span.name: ((span.start_time or 0) - stream.start_time) // 1_000_000 for span in kept.spans
    }
    assert begins == {
        "media stream": 0,
        "turn reply": 4810,
        "end of turn": 5000,
        "model": 4810,
        "voice": 5120,
        "held": 5250,
        "first audio": 5301,
    }
    assert (turn.end_time or 0) - stream.start_time == 7_000_000_000


def test_steps_that_did_not_happen_have_no_span() -> None:
    assert [step.name for step in steps_of(TurnTimings(end_of_turn=10))] == ["end of turn"]


async def test_a_share_takes_whole_calls_and_is_the_same_everywhere() -> None:
    ids = [f"call-{number}" for number in range(400)]
    sampled = [call_id for call_id in ids if trace_of(call_id, share=0.25).is_sampled]
    assert 60 < len(sampled) < 140
    kept = Kept()
    traced = tracing(kept, share=0.25)
    now_s = asyncio.get_running_loop().time()
    for call_id in ids:
        stream = traced.observers.open(call_id, epoch=1, started_s=now_s, is_resumed=False)
        stream.closed(turns=0, is_lost=False)
        traced._root(call_id, 1, 2)
    traced.close()
    seen = [(span.attributes or {})["callspine.call_id"] for span in kept.spans]
    assert sorted(map(str, seen)) == sorted(sampled * 2)


def test_only_calls_have_a_calls_trace() -> None:
    assert call_of("call/c1") == "c1"
    assert call_of("campaign/c1") is None
    assert call_of("call/") is None


def test_nothing_is_traced_unless_an_endpoint_is_set() -> None:
    assert open_tracing(Settings(_env_file=None), "gateway") is None


def test_an_endpoint_without_the_packages_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("callspine.tracing.find_spec", lambda name: None)
    settings = Settings(_env_file=None, otlp_endpoint="http://127.0.0.1:4318")
    with pytest.raises(SettingsError, match=r"CALLSPINE_OTLP_ENDPOINT.*callspine\[otel\]"):
        open_tracing(settings, "gateway")


def test_a_process_does_not_wait_for_a_collector_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("callspine.tracing.CLOSE_WITHIN_S", 0.05)
    asked, let_go = threading.Event(), threading.Event()

    class Hanging(Kept):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            asked.set()
            let_go.wait(30)
            return super().export(spans)

    kept = Hanging()
    traced = tracing(kept)
    traced._root("c5", 1, 2)
    traced.close()
    assert asked.wait(5)
    assert kept.spans == [], "it is left behind"
    let_go.set()


def test_without_the_extra_everything_but_traces_is_there() -> None:
    program = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import callspine.doctor.visit, callspine.gateway, callspine.worker
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_spans_arrive_at_a_collector_over_http() -> None:
    got: list[ExportTraceServiceRequest] = []

    def collector(_: str) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/traces")
        async def traces(request: Request) -> Response:
            body = await request.body()
            if request.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            got.append(ExportTraceServiceRequest.FromString(body))
            return Response(media_type="application/x-protobuf")

        return app

    async with serving(collector) as url:
        settings = Settings(_env_file=None, otlp_endpoint=url)
        traced = open_tracing(settings, "gateway", "g1")
        assert traced is not None
        now_s = asyncio.get_running_loop().time()
        stream = traced.observers.open("c4", epoch=1, started_s=now_s, is_resumed=False)
        stream.closed(turns=0, is_lost=False)
        await asyncio.to_thread(traced.close)
    (batch,) = got[0].resource_spans
    (span,) = batch.scope_spans[0].spans
    assert int.from_bytes(span.trace_id) == trace_of("c4").trace_id
    about = {item.key: item.value.string_value for item in batch.resource.attributes}
    assert about["service.name"] == "callspine-gateway"
    assert about["service.instance.id"] == "g1"
