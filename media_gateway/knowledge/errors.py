"""What can be wrong with the passages' store. Each says the cause and the remedy.

KnowledgeError
├── KnowledgeMismatch    the collection was made by another embedding model, or is not ours
├── KnowledgeMissing     nothing was ingested yet
├── KnowledgeBusy        another ingest is running, or got in between
└── KnowledgeAway        the server did not answer, or refused
"""

from __future__ import annotations


class KnowledgeError(Exception):
    """The store cannot be used as it is."""


class KnowledgeMismatch(KnowledgeError):
    """Its vectors cannot be compared with ours."""


class KnowledgeMissing(KnowledgeError):
    """There is no collection."""


class KnowledgeBusy(KnowledgeError):
    """Somebody else writes."""


class KnowledgeAway(KnowledgeError):
    """The server's fault, or the way to it. To be tried again."""
