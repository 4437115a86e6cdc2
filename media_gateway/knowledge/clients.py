"""How the store is reached: a Qdrant server by URL and key, or Qdrant's local mode in a folder of this machine."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from qdrant_client import AsyncQdrantClient

from media_gateway.knowledge.collection import PassageCollection
from media_gateway.knowledge.errors import KnowledgeBusy, KnowledgeError
from media_gateway.knowledge.ingest import only_ingest

SERVER_TIMEOUT_S = 30
"""For an ingest's requests; look-ups have a deadline of their own."""


def server_collection(url: str, api_key: str | None) -> PassageCollection:
    """A server's collection. Nothing is sent yet."""
    with warnings.catch_warnings():
        # A key over plain http is a warning on standard error each start: loopback and private networks do it.
        warnings.simplefilter("ignore", UserWarning)
        client = AsyncQdrantClient(
            url=url,
            # A URL's own port, and for one without it its scheme's, as everywhere else: the client would take 6333.
            port=urlsplit(url).port or (443 if url.startswith("https:") else 80),
            api_key=api_key,
            timeout=SERVER_TIMEOUT_S,
            check_compatibility=False,  # the constructor would ask the server and wait for it
        )
    return PassageCollection(client, is_local=False)


@asynccontextmanager
async def local_collection(folder: Path) -> AsyncIterator[PassageCollection]:
    """The store in `folder`, which one process at a time may have open.

    Local mode answers on the loop that asks, and a filter over 2,000 points takes it 45 ms: it is opened to write, or to load
    everything into a `Shelf`, never to be searched beside calls. Raises KnowledgeBusy while another has it open.
    """
    with only_ingest(folder):
        try:
            client = AsyncQdrantClient(path=str(folder / "qdrant"))
        except RuntimeError as error:  # its own lock: a program that is not ours
            raise KnowledgeBusy(f"{folder} is in use: {error}") from None
        except Exception as error:
            raise KnowledgeError(
                f"the passages in {folder} cannot be opened ({type(error).__name__}): "
                "delete the folder, its files are made again from the documents"
            ) from error
        try:
            yield PassageCollection(client, is_local=True)
        finally:
            await client.close()


def mark_changed(folder: Path) -> None:
    """Tell the gateways of this machine that the local store changed."""
    new = folder / f".version-{uuid.uuid4().hex}"
    new.write_text(uuid.uuid4().hex, encoding="ascii")
    new.replace(folder / "version")


def version_of(folder: Path) -> str:
    """Changes with each change of the local store; empty before the first."""
    try:
        return (folder / "version").read_text(encoding="ascii")
    except OSError:
        return ""
