"""Composition root of the media gateway: which vendors, stores and rules this process runs with."""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

# BAML prints prompts and replies, callers' words included, unless told not to before its first import.
os.environ.setdefault("BAML_LOG", "off")

import httpx
import structlog
import uvicorn
from temporalio.client import Client

from callspine.connect import connect
from callspine.draining import DrainingServer
from callspine.ports import refuse_busy_port
from callspine.router_settings import open_route
from callspine.scripts import usable_scripts
from callspine.settings import PREFIX, Settings, SettingsError, base_url, require_for_gateway
from callspine.tracing import Tracing, open_tracing
from callspine.turn_policy_file import read_policy
from callspine.vendors import MODEL, dialogue_of, recognisers
from callspine.voices import open_voices
from media_gateway.app import create_app
from media_gateway.directives import directive_worker
from media_gateway.ears.batched import BatchedEars
from media_gateway.ears.end_model import OnnxEndModel
from media_gateway.errors import OutboxInUse, OutboxRefused
from media_gateway.failover.provider import Provider
from media_gateway.failover.speech_to_text import FailoverSpeechToText, probe_recogniser
from media_gateway.flight.recorder import FlightRecorder
from media_gateway.knowledge.embedding import Embedder
from media_gateway.knowledge.opening import open_knowledge
from media_gateway.metrics.collected import GatewayState
from media_gateway.metrics.loop_lag import LoopLag
from media_gateway.metrics.page import metrics_router
from media_gateway.metrics.ports import Several
from media_gateway.metrics.prometheus import GatewayMetrics
from media_gateway.metrics.speech import SpeechState
from media_gateway.metrics.vendors import MeasuredDialogue, MeasuredRecogniser
from media_gateway.opener_prefetch import OpenerVectors
from media_gateway.parts import GatewayParts
from media_gateway.ports import Knowledge, WorkflowLink
from media_gateway.sessions import Sessions
from media_gateway.signature import CarrierSignature
from media_gateway.speech.ports import SpeechToText
from media_gateway.stream_token import StreamTokens
from media_gateway.turns.recording import NoRecorder, Recorder
from media_gateway.turns.types import TurnPolicy
from media_gateway.workflow_link import TemporalLink
from workflows.script.fixed_lines import fixed_lines
from workflows.script.parse import compiled_script, content_hash

log = structlog.get_logger(__name__)

LONGEST_FRAME_BYTES = 1 << 20
"""The socket library closes a connection above this; below it and above the setting a message is only dropped."""

KEEP_MODEL_CONNECTION_S = 120.0

DELIVER_WITHIN_S, HURRIED_S = 5.0, 0.5
"""For what Temporal is still owed when the gateway stops, and when it was told so twice: the rest stays on disk."""


async def serve(settings: Settings) -> None:
    """Run a gateway until it is told to stop. Raises SettingsError before anything starts."""
    require_for_gateway(settings)
    refuse_busy_port(settings.host, settings.port, "CALLSPINE_PORT")
    tracing = open_tracing(settings, "gateway", settings.gateway_id)
    client = await connect(settings, interceptors=tracing.interceptors if tracing else ())
    sessions = Sessions()
    link = await open_link(settings, client, sessions)
    is_hurried = False
    try:
        async with directive_worker(client, settings.gateway_id, sessions):
            is_hurried = await serve_with(settings, link, sessions, tracing)
    finally:
        await link.close(within_s=HURRIED_S if is_hurried else DELIVER_WITHIN_S)
        if tracing is not None:
            await asyncio.to_thread(tracing.close)
        log.info("gateway_stopped", hurried=is_hurried)


async def open_link(settings: Settings, client: Client, sessions: Sessions) -> TemporalLink:
    """The link with this gateway's outbox. Raises SettingsError when its file cannot be used."""
    try:
        file = settings.outbox_dir / f"{settings.gateway_id}.db"
        return await TemporalLink.open(client, file, sessions.break_off)
    except OutboxInUse as error:
        raise SettingsError(
            f"{error}: stop the other gateway {settings.gateway_id}, "
            f"or set {PREFIX}GATEWAY_ID to another name for this one"
        ) from None
    except OutboxRefused as error:
        raise SettingsError(
            f"{error}: see to it, or set {PREFIX}OUTBOX_DIR to a folder that the gateway may write to"
        ) from None


async def serve_with(
    settings: Settings,
    link: WorkflowLink,
    sessions: Sessions | None = None,
    tracing: Tracing | None = None,
) -> bool:
    """Run a gateway on this link to the workflows until it is told to stop; True when it was told so twice."""
    # Turns are many seconds apart: the default of 5 s would cost most of them a new TLS handshake.
    limits = httpx.Limits(keepalive_expiry=KEEP_MODEL_CONNECTION_S)
    async with httpx.AsyncClient(timeout=30, limits=limits) as http:
        recorder = await asyncio.to_thread(open_recorder, settings)
        metrics = GatewayMetrics()
        parts = await compose(
            settings,
            http,
            link,
            Sessions() if sessions is None else sessions,
            recorder,
            metrics,
            tracing,
        )
        lag = LoopLag(metrics.loop_was_late)
        lag.start()
        config = uvicorn.Config(
            create_app(parts),
            host=settings.host,
            port=settings.port,
            ws="websockets-sansio",
            ws_max_size=LONGEST_FRAME_BYTES,
            ws_per_message_deflate=False,  # fifty small frames a second and call
            log_level="warning",
            timeout_graceful_shutdown=5,
        )
        server = DrainingServer(
            config,
            parts.sessions,
            notice_s=settings.drain_notice_s,
            within_s=settings.drain_within_s,
        )
        try:
            await server.serve()
        finally:
            lag.stop()
            if isinstance(recorder, FlightRecorder):
                await asyncio.to_thread(recorder.close)
        return server.force_exit


def open_recorder(settings: Settings) -> Recorder:
    """The flight recorder, or one that keeps nothing. Blocking. Raises SettingsError for a folder of no use."""
    if settings.flight_dir is None:
        return NoRecorder()
    try:
        return FlightRecorder(settings.flight_dir)
    except OSError as error:
        raise SettingsError(
            f"{PREFIX}FLIGHT_DIR is {settings.flight_dir}: {error.strerror or error}: "
            "name a folder that the gateway may write to, or leave it empty"
        ) from None


async def compose(
    settings: Settings,
    http: httpx.AsyncClient,
    link: WorkflowLink,
    sessions: Sessions,
    recorder: Recorder,
    metrics: GatewayMetrics,
    tracing: Tracing | None,
) -> GatewayParts:
    """Put the gateway's parts together."""
    public_url = base_url(settings.public_url)
    dialogue = dialogue_of(settings, http)
    await dialogue.warm()
    embedder = Embedder()
    route = await open_route(settings, embedder)
    voices = open_voices(settings, calls=lambda: len(sessions), meter=metrics)
    openers = OpenerVectors(embedder) if settings.openers else None
    for script in usable_scripts(settings.scripts_dir).values():
        voices.want(fixed_lines(script))
        if openers is not None:
            openers.want(script)
    ears = BatchedEars(_end_model(settings), took=metrics.ears_took)
    hearing = recognisers(settings, metrics)
    # A fallback hears nothing while the first address is well.
    hear_by = [
        Provider[SpeechToText](name, MeasuredRecogniser(one, name, metrics), probe_recogniser)
        for name, one in hearing.items()
    ]
    metrics.registry.register(GatewayState(sessions, link, lambda: ears.counts))
    counts = {name: one.counts for name, one in hearing.items()}
    metrics.registry.register(SpeechState([*hear_by, *voices.vendors], counts, voices.pools))
    return GatewayParts(
        gateway_id=settings.gateway_id,
        public_url=public_url,
        inbound_script=settings.inbound_script,
        inbound_script_hash=partial(
            _hash_of, settings.scripts_dir / f"{settings.inbound_script}.yaml"
        ),
        longest_message_bytes=settings.longest_message_bytes,
        most_resumes=settings.most_resumes,
        signature=CarrierSignature(settings.twilio_auth_token.get_secret_value(), public_url),
        tokens=StreamTokens(settings.stream_token_secret.get_secret_value()),
        link=link,
        recogniser=FailoverSpeechToText(hear_by),
        voice=voices.voice,
        ears=ears,
        dialogue=MeasuredDialogue(dialogue, MODEL, metrics),
        knowledge=await _knowledge(settings, embedder),
        openers=openers,
        route=route,
        policy=turn_policy(settings),
        recorder=recorder,
        sessions=sessions,
        observers=Several(metrics, *((tracing.observers,) if tracing else ())),
        pages=[metrics_router(metrics.registry, settings.metrics_token.get_secret_value())],
    )


def _hash_of(script: Path) -> str:
    try:
        return content_hash(script.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        log.error("script_refused", file=str(script), reason=type(error).__name__)
        return ""


def turn_policy(settings: Settings) -> TurnPolicy:
    """When to speak, wait and stop. Raises SettingsError for a file that is none."""
    policy = TurnPolicy(
        end_pause_ms=settings.end_pause_ms,
        unfinished_pause_ms=settings.unfinished_pause_ms,
        filler_after_ms=settings.filler_after_ms,
        fallback_after_ms=settings.fallback_after_ms,
        silence_ms=settings.silence_ms,
    )
    if settings.turn_policy is None:
        return policy
    return read_policy(settings.turn_policy, policy)


def _end_model(settings: Settings) -> OnnxEndModel:
    folder = settings.end_model_dir
    try:
        return OnnxEndModel() if folder is None else OnnxEndModel(folder)
    except ValueError as error:
        raise SettingsError(f"{PREFIX}END_MODEL_DIR: {error}" if folder else str(error)) from None


async def _knowledge(settings: Settings, embedder: Embedder) -> dict[str, Knowledge]:
    """By script id: those that have documents."""
    documents = {}
    for path, script in usable_scripts(settings.scripts_dir).items():
        compiled_script(path.read_text(encoding="utf-8"))  # before the first call asks for it
        if script.knowledge:
            documents[script.script_id] = path.parent / script.knowledge
    return await open_knowledge(
        documents,
        embedder=embedder,
        local_folder=settings.knowledge_dir,
        url=base_url(settings.qdrant_url) if settings.qdrant_url else None,
        api_key=settings.qdrant_api_key.get_secret_value() or None,
    )


def run(settings: Settings) -> None:
    """Run the gateway on the fastest loop there is."""
    if sys.platform != "win32":
        import uvloop

        uvloop.run(serve(settings))
    else:
        asyncio.run(serve(settings))
