"""Composition root of a worker: the calls' workflows and their activities, on their task queues."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

os.environ.setdefault("BAML_LOG", "off")

import structlog
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.worker import Worker

from activities.clients.closed_calls import ClosedCalls
from activities.clients.crm_store import CrmStore
from activities.clients.script_archive import ScriptArchive
from activities.clients.twilio_rest import TwilioCalls
from activities.crm import CrmActivities
from activities.dialling import DiallingActivities, DialPlan
from activities.post_call import PostCallActivities
from activities.reconcile import ReconcileActivities
from activities.scripts import ScriptActivities
from callspine.connect import connect
from callspine.llm_settings import reader_of_calls
from callspine.metrics import served, worker_metrics
from callspine.reconciler import ensure_schedule_or_tell
from callspine.run_workers import run_until
from callspine.settings import Settings, base_url, require_for_worker
from callspine.tracing import open_tracing
from callspine.versions import pinned_to
from workflows import search_attributes
from workflows.call import CallWorkflow
from workflows.contracts.payloads import (
    ACTIVITIES_TASK_QUEUE,
    CALLS_TASK_QUEUE,
    DIAL_TASK_QUEUE,
)
from workflows.contracts.reconcile import RECONCILE_TASK_QUEUE
from workflows.reconcile import ReconcileWorkflow
from workflows.signal_guard import SignalGuard

log = structlog.get_logger(__name__)

STICKY_TIMEOUT = timedelta(seconds=1)
"""A workflow task that its last worker does not take goes to another one after this, not after the default 10 s."""
CACHED_CALLS = 1000
"""More than the calls at one time. A call above it loses nothing, but each of its turns replays its whole history."""
TASKS_AT_ONCE = 8
"""Of calls' workflows. They share one core: more would wait here, and run into the deadline that a dead worker is known by."""
SHUTDOWN_WITHIN = timedelta(seconds=5)
"""For activities under way, a dial above all; then they are cancelled, and other workers try again what may be tried."""
ACTIVITY_THREADS = 16


async def serve(settings: Settings) -> None:
    """Run a worker until SIGINT or SIGTERM. Raises SettingsError before anything starts."""
    require_for_worker(settings)
    metrics, tracing = worker_metrics(settings), open_tracing(settings, "worker")
    client = await connect(
        settings,
        interceptors=[
            *(tracing.interceptors if tracing else ()),
            *((metrics,) if metrics else ()),
        ],
        runtime=metrics.runtime if metrics else None,
    )
    await ensure_search_attributes(client)
    await ensure_schedule_or_tell(client, every_s=settings.reconcile_every_s)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store = await asyncio.to_thread(open_store, settings.database_url)
    scripts = ScriptActivities(settings.scripts_dir, ScriptArchive(store.engine))
    await asyncio.to_thread(scripts.archive_folder)
    with ThreadPoolExecutor(ACTIVITY_THREADS, thread_name_prefix="activity") as threads:
        async with served(metrics, settings):
            await run_until(
                stop,
                workers(client, settings, store, scripts, threads),
                ready=lambda: log.info(
                    "worker_ready",
                    temporal=settings.temporal_address,
                    build=settings.worker_build_id,
                ),
            )
    store.close()
    if tracing is not None:
        await asyncio.to_thread(tracing.close)
    log.info("worker_stopped")


def workers(
    client: Client,
    settings: Settings,
    store: CrmStore,
    scripts: ScriptActivities,
    threads: ThreadPoolExecutor,
) -> list[Worker]:
    """One worker a task queue, so that a slow kind of work cannot hold up another."""
    crm = CrmActivities(store)
    post_call = PostCallActivities(*reader_of_calls(settings))
    carrier = TwilioCalls(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        base_url=base_url(settings.twilio_api_base_url),
    )
    dialling = DiallingActivities(
        carrier,
        store,
        DialPlan(
            public_url=base_url(settings.public_url),
            caller_id=settings.twilio_from,
            detects_machines=settings.twilio_async_amd,
            machine_detection=settings.twilio_machine_detection,
        ),
    )
    return [
        Worker(
            client,
            task_queue=CALLS_TASK_QUEUE,
            workflows=[CallWorkflow],
            interceptors=[SignalGuard()],
            deployment_config=pinned_to(settings.worker_build_id),
            max_cached_workflows=CACHED_CALLS,
            max_concurrent_workflow_tasks=TASKS_AT_ONCE,
            sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
            graceful_shutdown_timeout=SHUTDOWN_WITHIN,
        ),
        Worker(
            client,
            task_queue=ACTIVITIES_TASK_QUEUE,
            activities=[
                scripts.load_script,
                crm.look_up_callee,
                crm.write_outcome,
                crm.record_do_not_call,
                post_call.read_call,
            ],
            activity_executor=threads,
            graceful_shutdown_timeout=SHUTDOWN_WITHIN,
        ),
        Worker(
            client,
            task_queue=DIAL_TASK_QUEUE,
            activities=[
                dialling.place_call,
                dialling.find_call,
                dialling.end_call,
                dialling.connect_person,
                dialling.reconnect_call,
                dialling.start_recording,
                dialling.stop_recording,
            ],
            activity_executor=threads,
            graceful_shutdown_timeout=SHUTDOWN_WITHIN,
        ),
        Worker(
            client,
            task_queue=RECONCILE_TASK_QUEUE,
            workflows=[ReconcileWorkflow],
            activities=[ReconcileActivities(ClosedCalls(client), carrier).hang_up_orphans],
            max_cached_workflows=10,
            graceful_shutdown_timeout=SHUTDOWN_WITHIN,
        ),
    ]


def open_store(database_url: str) -> CrmStore:
    """The CRM's store; a SQLite file's folder is made when it is missing."""
    if database_url.startswith("sqlite:///"):
        Path(database_url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return CrmStore(database_url)


async def ensure_search_attributes(client: Client) -> None:
    """Register what is missing: a workflow that upserts an unknown attribute would hang."""
    operator = client.operator_service
    known = await operator.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {
        key.name: key.indexed_value_type
        for key in search_attributes.ALL
        if key.name not in known.custom_attributes
    }
    if missing:
        await operator.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=client.namespace,
                search_attributes={name: int(kind) for name, kind in missing.items()},  # type: ignore[misc]
            )
        )
