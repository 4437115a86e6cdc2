"""Checks what is kept: the database, the outbox's disk, the passages."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from time import perf_counter

import httpx
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from callspine.doctor.findings import AilingError, Check, State, Told, off_loop
from callspine.settings import PREFIX, Settings, base_url

SLOW_DISK_MS = 50.0
LEAST_FREE_MB = 200
_SQLITE = "sqlite:///"


def database_check(settings: Settings) -> Check:
    """Asks the database one thing."""
    remedy = f"see {PREFIX}DATABASE_URL, and that the database runs"

    def work() -> Told:
        url = settings.database_url
        if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
            _writable(Path(url.removeprefix(_SQLITE)).parent, "DATABASE_URL")
            return Told(what="there is none yet; the worker makes it when it starts")
        try:
            engine = create_engine(url)
            with engine.connect() as connection:
                inspect(
                    connection
                ).get_table_names()  # a file of another kind is found when it is read
            engine.dispose()
        except ModuleNotFoundError as error:
            raise AilingError(
                f"the package {error.name} is not installed", "pip install 'callspine[postgres]'"
            ) from None
        except (SQLAlchemyError, ValueError) as error:
            raise AilingError(type(error).__name__, remedy) from None
        return Told(what=f"{engine.dialect.name} answers")

    return Check(name="database", ask=lambda: off_loop(work), remedy=remedy)


def outbox_check(settings: Settings) -> Check:
    """Writes a file as the outbox does, to the disk and not to a cache."""

    def work() -> Told:
        folder = _writable(settings.outbox_dir, "OUTBOX_DIR")
        probe = folder / f".doctor-{uuid.uuid4().hex}"
        began_s = perf_counter()
        try:
            with probe.open("wb") as file:
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
        took_ms = (perf_counter() - began_s) * 1000
        free_mb = shutil.disk_usage(folder).free // 1_000_000
        if free_mb < LEAST_FREE_MB:
            raise AilingError(f"{free_mb} MB are free", "make room on that disk")
        if took_ms > SLOW_DISK_MS:
            return Told(
                what="writing to the disk is slow",
                state=State.WARNS,
                took_ms=took_ms,
                remedy=f"put {PREFIX}OUTBOX_DIR on a local disk",
            )
        return Told(what="written to the disk", took_ms=took_ms)

    return Check(
        name="outbox",
        ask=lambda: off_loop(work),
        remedy=f"put {PREFIX}OUTBOX_DIR on a local disk that answers",
    )


def _writable(folder: Path, variable: str) -> Path:
    """The folder, or the nearest above it that exists. Raises AilingError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise AilingError(
            f"{folder} cannot be written to", f"set {PREFIX}{variable} to a folder that can"
        )
    return folder


def passages_check(settings: Settings, http: httpx.AsyncClient) -> Check:
    """The server's collection, or in local mode the model that makes the vectors."""
    url = settings.qdrant_url

    async def ask() -> Told:
        if url is None:
            return await off_loop(_embeds)
        return await _server(base_url(url), settings, http)

    return Check(
        name="passages",
        ask=ask,
        remedy=f"see {PREFIX}QDRANT_URL and the network's way there",
        is_needed=False,  # a reply goes out without them
    )


def _embeds() -> Told:
    from media_gateway.knowledge.embedding import Embedder

    embedder = Embedder()
    embedder.embed_many(["How long is the warranty?"])
    began_s = perf_counter()
    embedder.embed_many(["What does a battery cost?"])
    return Told(
        what="local mode; time to embed a sentence", took_ms=(perf_counter() - began_s) * 1000
    )


async def _server(url: str, settings: Settings, http: httpx.AsyncClient) -> Told:
    from media_gateway.knowledge.collection import COLLECTION

    headers = {"api-key": settings.qdrant_api_key.get_secret_value()}
    try:
        answer = await http.get(f"{url}/collections/{COLLECTION}", headers=headers)
    except httpx.HTTPError as error:
        raise AilingError(
            type(error).__name__, f"see {PREFIX}QDRANT_URL, and that the server runs"
        ) from None
    if answer.status_code in (401, 403):
        raise AilingError(f"HTTP {answer.status_code}", f"set {PREFIX}QDRANT_API_KEY")
    if answer.status_code == 404:
        raise AilingError(
            f"the server has no collection {COLLECTION}",
            "fill it: `callspine knowledge ingest FOLDER`",
        )
    try:
        count = int(answer.raise_for_status().json()["result"]["points_count"] or 0)
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        raise AilingError(
            f"it answers nonsense (HTTP {answer.status_code})",
            f"see that {PREFIX}QDRANT_URL is a Qdrant server",
        ) from None
    if not count:
        raise AilingError("no passages", "fill it: `callspine knowledge ingest FOLDER`")
    return Told(
        what=f"{count} points on the server; time to search them",
        took_ms=await _searched(url, settings),
    )


async def _searched(url: str, settings: Settings) -> float:
    """Milliseconds. Raises AilingError for vectors that cannot be compared with ours."""
    from media_gateway.knowledge.clients import server_collection
    from media_gateway.knowledge.embedding import Embedder
    from media_gateway.knowledge.errors import KnowledgeError

    vector = await off_loop(lambda: Embedder().embed_now("How long is the warranty?"))
    collection = server_collection(url, settings.qdrant_api_key.get_secret_value() or None)
    try:
        await collection.check()
        began_s = perf_counter()
        await collection.find(settings.inbound_script, vector, limit=3, within=None)
        return (perf_counter() - began_s) * 1000
    except KnowledgeError as error:
        what, _, remedy = str(error).partition(": ")
        raise AilingError(what, remedy) from None
    finally:
        await collection.close()
