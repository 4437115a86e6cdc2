"""After the call: the model reads the transcript once, and its answer has BAML's type or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baml_py import ClientRegistry
from temporalio import activity

from baml_client import b
from workflows.contracts.activities import READ_CALL, ReadTranscript
from workflows.contracts.payloads import PostCall
from workflows.script.model import Outcome

LONGEST_TRANSCRIPT = 60_000
"""Characters. The end of a call matters more than its beginning."""


class PostCallActivities:
    """Reports on calls. `provider` and `options`: BAML's, of the client that reads them."""

    def __init__(self, provider: str, options: Mapping[str, Any]) -> None:
        self._registry = ClientRegistry()
        self._registry.add_llm_client("Reader", provider, dict(options))
        self._registry.set_primary("Reader")

    @activity.defn(name=READ_CALL)
    async def read_call(self, call: ReadTranscript) -> PostCall:
        """Outcome, summary, objections, next step and slots. Raises BamlError when the model gives nothing usable."""
        transcript = call.transcript.replace("<<<", "").replace(">>>", "")[-LONGEST_TRANSCRIPT:]
        report = await b.ReadCall(
            transcript,
            [outcome.value for outcome in Outcome],
            call.known,
            {"client_registry": self._registry},
        )
        known = {outcome.value for outcome in Outcome}
        return PostCall(
            outcome=report.outcome if report.outcome in known else call.outcome,
            summary=report.summary,
            objections=list(report.objections),
            next_step=report.next_step,
            slots={slot.name: slot.value for slot in report.slots},
        )
