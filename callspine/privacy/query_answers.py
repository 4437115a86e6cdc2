"""Marks what answers a question about a call: it is never part of a history, and need not be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.converter import DefaultPayloadConverter

from workflows.contracts.payloads import CallSnapshot

_MARK = "callspine-query-answer"
_ANSWERS = (CallSnapshot, WorkflowMetadata)
"""Types that only queries return: ours, and the one behind the Temporal UI's current details."""


class MarkingPayloadConverter(DefaultPayloadConverter):
    """The SDK's converter, and the mark: only here is a value's type still known."""

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """See base class."""
        payloads = super().to_payloads(values)
        for value, payload in zip(values, payloads, strict=True):
            if isinstance(value, _ANSWERS):
                payload.metadata[_MARK] = b"1"
        return payloads


def is_query_answer(payload: Payload) -> bool:
    """Whether the converter marked it."""
    return _MARK in payload.metadata
