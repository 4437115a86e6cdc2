"""What calls are found by in Temporal. Never a number, a name or a word that was spoken."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

CALL_STAGE = SearchAttributeKey.for_keyword("CallStage")
CALL_OUTCOME = SearchAttributeKey.for_keyword("CallOutcome")
CALL_DIRECTION = SearchAttributeKey.for_keyword("CallDirection")
SCRIPT_ID = SearchAttributeKey.for_keyword("ScriptId")
CAMPAIGN_ID = SearchAttributeKey.for_keyword("CampaignId")
LEAD_ID = SearchAttributeKey.for_keyword("LeadId")
TURNS = SearchAttributeKey.for_int("Turns")
ATTEMPT = SearchAttributeKey.for_int("Attempt")
NEEDS_REVIEW = SearchAttributeKey.for_bool("NeedsReview")
ALL = (
    CALL_STAGE,
    CALL_OUTCOME,
    CALL_DIRECTION,
    SCRIPT_ID,
    CAMPAIGN_ID,
    LEAD_ID,
    TURNS,
    ATTEMPT,
    NEEDS_REVIEW,
)
"""To be registered before the first call: a worker that upserts an unknown one cannot finish its task."""
