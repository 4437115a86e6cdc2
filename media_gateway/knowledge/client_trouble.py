"""What qdrant-client raises, as errors that say cause and remedy."""

from __future__ import annotations

import httpx
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from media_gateway.knowledge.errors import KnowledgeAway

TROUBLE = (UnexpectedResponse, ResponseHandlingException, httpx.HTTPError, OSError, ValueError)
"""What qdrant-client raises when the server is away or refuses; ValueError for JSON that is none."""


def trouble(error: Exception) -> KnowledgeAway:
    """A client's error as one that says what to do."""
    if isinstance(error, UnexpectedResponse):
        status = error.status_code
        if status in (401, 403):
            return KnowledgeAway(
                f"Qdrant refuses the key (HTTP {status}): set CALLSPINE_QDRANT_API_KEY"
            )
        return KnowledgeAway(f"Qdrant answered HTTP {status}: see the server's log")
    kind = type(error.__cause__ or error).__name__
    return KnowledgeAway(
        f"Qdrant does not answer as it should ({kind}): see whether it runs at CALLSPINE_QDRANT_URL"
    )
