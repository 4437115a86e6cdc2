"""The passages' one Qdrant collection: its shape, how a document gets into it whole, what a look-up may find.

One collection for all scripts, told apart by a payload filter: the server keeps each script's points together
(`is_tenant`). The dense vector is named after the embedding model, so the schema itself says whose vectors they are.

A document's new points are written hidden (`live: false`). When all are there, one request shows them and deletes the
old ones. Qdrant applies such a request in order but not as a transaction: for the milliseconds between, a look-up may
see both versions. Nobody ever sees a part of a document that is not stored whole.

The server side never ran against a real Qdrant here: `tests/simulators/qdrant.py` speaks its REST endpoints.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from media_gateway.knowledge.client_trouble import TROUBLE, trouble
from media_gateway.knowledge.cutting import Chunk, Document
from media_gateway.knowledge.embedding import DIMENSIONS, MODEL, Vector
from media_gateway.knowledge.errors import (
    KnowledgeBusy,
    KnowledgeMismatch,
    KnowledgeMissing,
)
from media_gateway.knowledge.planning import Replacement, StoredPoint
from media_gateway.ports import Passage

COLLECTION = "callspine_passages"
PAGE = 100
"""Points a request when writing: 100 of 384 numbers are some 800 kB of JSON; servers refuse above 32 MB."""
SCROLL_PAGE = 1000
LEAST_SCORE = 0.1
"""Cosine similarity below which a passage is about something else. Of the labelled questions (`bench/knowledge`) it costs
none its answer; 0.2 cost one in fourteen."""
_NAMESPACE = uuid.UUID("8f5b2b1e-6f0c-4a55-9a0e-2f6f0a1d7c11")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPassage:
    """A live passage with its vector."""

    script_id: str
    source: str
    text: str
    within: tuple[str, ...]
    vector: list[float]


class PassageCollection:
    """Over a client of a server or of local mode; with local mode every call blocks the loop it is awaited on.

    All methods raise `KnowledgeError`s; none waits longer than the client's own time-out.
    """

    def __init__(self, client: AsyncQdrantClient, *, is_local: bool) -> None:
        self._client = client
        self._is_local = is_local

    async def check(self) -> None:
        """Whether the collection can be searched with our vectors. Raises KnowledgeMissing or KnowledgeMismatch."""
        try:
            if not await self._client.collection_exists(COLLECTION):
                raise KnowledgeMissing("nothing was ingested: run `callspine knowledge ingest DIR`")
            found = (await self._client.get_collection(COLLECTION)).config.params.vectors
        except TROUBLE as error:
            raise trouble(error) from error
        ours = found.get(MODEL) if isinstance(found, dict) else None
        if ours is None or ours.size != DIMENSIONS:
            theirs = (
                ", ".join(f"{name} ({vector.size} numbers)" for name, vector in found.items())
                if isinstance(found, dict)
                else "a vector without a name"
            )
            raise KnowledgeMismatch(
                f"the collection {COLLECTION} was made for {theirs}, but this version embeds with "
                f"{MODEL} ({DIMENSIONS} numbers): delete the collection and ingest again"
            )

    async def prepare(self) -> None:
        """Make the collection if there is none. Raises KnowledgeMismatch for one that is not ours."""
        try:
            await self.check()
        except KnowledgeMissing:
            await self._create()
            await self.check()

    async def _create(self) -> None:
        vectors = {MODEL: models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE)}
        keyword = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD)
        tenant = keyword.model_copy(update={"is_tenant": True})
        boolean = models.PayloadSchemaType.BOOL
        try:
            await self._client.create_collection(COLLECTION, vectors_config=vectors)
        except UnexpectedResponse as error:
            if error.status_code != 409:  # else another ingest made it just now
                raise trouble(error) from error
        except TROUBLE as error:
            raise trouble(error) from error
        if self._is_local:
            return  # has no payload indexes, and warns
        try:
            await self._client.create_payload_index(COLLECTION, "script", field_schema=tenant)
            await self._client.create_payload_index(COLLECTION, "within", field_schema=keyword)
            await self._client.create_payload_index(COLLECTION, "live", field_schema=boolean)
        except TROUBLE as error:
            raise trouble(error) from error

    async def stored(self, script_id: str) -> list[StoredPoint]:
        """Every point of a script, hidden ones too."""
        fields = ["document", "version", "live"]
        return [
            StoredPoint(
                point_id=str(record.id),
                document=str(payload.get("document", "")),
                version=str(payload.get("version", "")),
                is_live=payload.get("live") is True,
            )
            async for record in self._scroll(_of(script_id), fields, vectors=False)
            for payload in [record.payload or {}]
        ]

    async def scripts(self) -> dict[str, int]:
        """Live passages by script."""
        counts: dict[str, int] = {}
        async for record in self._scroll(_live(), ["script"], vectors=False):
            script_id = str((record.payload or {}).get("script", ""))
            counts[script_id] = counts.get(script_id, 0) + 1
        return counts

    async def live(self) -> list[StoredPassage]:
        """All passages that a look-up may find, with their vectors."""
        fields = ["script", "source", "text", "within"]
        found = []
        async for record in self._scroll(_live(), fields, vectors=True):
            payload, vector = record.payload or {}, record.vector
            if isinstance(vector, dict):
                found.append(
                    StoredPassage(
                        script_id=str(payload.get("script", "")),
                        source=str(payload.get("source", "")),
                        text=str(payload.get("text", "")),
                        within=tuple(payload.get("within", ())),
                        vector=cast(list[float], vector[MODEL]),  # dense, by the schema
                    )
                )
        return found

    async def write(
        self, script_id: str, replacement: Replacement, vectors: npt.NDArray[np.float32]
    ) -> None:
        """Store a document whole, then show it and drop what it replaces. The same again changes nothing.

        Raises KnowledgeBusy when somebody else wrote the same document at the same time.
        """
        document = replacement.document
        points = [
            models.PointStruct(
                id=_point_id(script_id, document, ordinal),
                vector={MODEL: vector.tolist()},
                payload=_payload(script_id, document, chunk),
            )
            for ordinal, (chunk, vector) in enumerate(zip(document.chunks, vectors, strict=True))
        ]
        ids: list[models.ExtendedPointId] = [point.id for point in points]
        show: list[models.UpdateOperation] = [
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload={"live": True}, points=ids)
            )
        ]
        if replacement.replaces:
            show.append(
                models.DeleteOperation(
                    delete=models.PointIdsList(points=list(replacement.replaces))
                )
            )
        try:
            for start in range(0, len(points), PAGE):
                await self._client.upsert(COLLECTION, points[start : start + PAGE], wait=True)
            await self._client.batch_update_points(COLLECTION, show, wait=True)
            seen = await self._client.retrieve(COLLECTION, ids, with_payload=["live"])
        except TROUBLE as error:
            if isinstance(error, UnexpectedResponse) and error.status_code == 404:
                raise _changed_by_another(document) from error  # a point to be shown is not there
            raise trouble(error) from error
        if sum((record.payload or {}).get("live") is True for record in seen) != len(ids):
            raise _changed_by_another(document)

    async def remove(self, point_ids: Sequence[str]) -> None:
        """Delete points."""
        try:
            for start in range(0, len(point_ids), SCROLL_PAGE):
                page: list[models.ExtendedPointId] = list(point_ids[start : start + SCROLL_PAGE])
                await self._client.delete(COLLECTION, models.PointIdsList(points=page), wait=True)
        except TROUBLE as error:
            raise trouble(error) from error

    async def find(
        self, script_id: str, vector: Vector, *, limit: int, within: tuple[str, ...] | None
    ) -> tuple[Passage, ...]:
        """The best live passages of a script, best first; `within` restricts them to those names."""
        conditions: list[models.Condition] = [_is("script", script_id), _is("live", True)]
        if within is not None:
            any_of = models.MatchAny(any=list(within))
            conditions.append(models.FieldCondition(key="within", match=any_of))
        try:
            answer = await self._client.query_points(
                COLLECTION,
                query=vector.tolist(),
                using=MODEL,
                query_filter=models.Filter(must=conditions),
                limit=limit,
                score_threshold=LEAST_SCORE,
                with_payload=["source", "text"],
            )
        except TROUBLE as error:
            raise trouble(error) from error
        return tuple(
            Passage(
                source=str((point.payload or {}).get("source", "")),
                text=str((point.payload or {}).get("text", "")),
                score=point.score,
            )
            for point in answer.points
        )

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def _scroll(
        self, filter: models.Filter, fields: list[str], *, vectors: bool
    ) -> AsyncIterator[models.Record]:
        offset = None
        while True:
            try:
                page, offset = await self._client.scroll(
                    COLLECTION,
                    scroll_filter=filter,
                    limit=SCROLL_PAGE,
                    offset=offset,
                    with_payload=fields,
                    with_vectors=vectors,
                )
            except TROUBLE as error:
                raise trouble(error) from error
            for record in page:
                yield record
            if offset is None:
                return


def _changed_by_another(document: Document) -> KnowledgeBusy:
    return KnowledgeBusy(f"another ingest changed {document.name} at the same time: run it again")


def _is(key: str, value: str | bool) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _of(script_id: str) -> models.Filter:
    return models.Filter(must=[_is("script", script_id)])


def _live() -> models.Filter:
    return models.Filter(must=[_is("live", True)])


def _point_id(script_id: str, document: Document, ordinal: int) -> str:
    """The same passage of the same version is the same point: writing it twice is writing it once."""
    name = f"{script_id}\n{document.name}\n{document.version}\n{ordinal}"
    return str(uuid.uuid5(_NAMESPACE, name))


def _payload(script_id: str, document: Document, chunk: Chunk) -> dict[str, object]:
    return {
        "script": script_id,
        "document": document.name,
        "version": document.version,
        "live": False,
        "source": chunk.source,
        "within": list(chunk.within),
        "text": chunk.text,
    }
