"""PURE. What an ingest has to do: which documents are written, which points go, what stays as it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from media_gateway.knowledge.cutting import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPoint:
    """One passage in the store."""

    point_id: str
    document: str
    version: str
    is_live: bool
    """Whether a search may find it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A document that is written, and the points that go when it is whole."""

    document: Document
    replaces: tuple[str, ...]
    """Of its other versions, and what an ingest that broke off left of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that brings a store in line with a folder."""

    write: tuple[Replacement, ...]
    unchanged: tuple[str, ...]
    gone: tuple[str, ...]
    """Documents that the folder has no more."""
    remove: tuple[str, ...]
    """Points of documents that are gone, and leftovers of unchanged ones."""


def plan(
    stored: Sequence[StoredPoint], documents: Sequence[Document], kept: Collection[str] = ()
) -> Plan:
    """Compare. `kept` names documents whose files could not be read: what the store has of them stays."""
    by_document = defaultdict[str, list[StoredPoint]](list)
    for point in stored:
        by_document[point.document].append(point)
    write, unchanged, remove = list[Replacement](), list[str](), list[str]()
    for document in documents:
        points = by_document.pop(document.name, [])
        whole = [p for p in points if p.is_live and p.version == document.version]
        others = tuple(p.point_id for p in points if p.version != document.version)
        if len(whole) == len(document.chunks):
            unchanged.append(document.name)
            remove += others
        else:
            write.append(Replacement(document=document, replaces=others))
    gone = sorted(by_document.keys() - set(kept))
    remove += [point.point_id for name in gone for point in by_document[name]]
    return Plan(
        write=tuple(write), unchanged=tuple(unchanged), gone=tuple(gone), remove=tuple(remove)
    )
