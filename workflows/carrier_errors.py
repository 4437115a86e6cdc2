"""PURE. What a carrier's refusal, or its last word on a call, means for the lead, for the campaign, and for who has to act.

One table for Twilio's REST error codes, one for SIP response codes, one for call states. The meanings of REST codes are
those of Twilio's error pages where one was found (10004, 13224, 13226, 21210, 21216, 21217), else as they are commonly
given; which of them the create request really answers with was never seen here. A code that is
not in the table is judged by its HTTP status, so that a new one is never taken for the lead's fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from workflows.contracts.payloads import CarrierStatus


class DialProblem(StrEnum):
    """Why nobody was spoken to."""

    INVALID_NUMBER = "invalid_number"
    NOT_PERMITTED = "not_permitted"
    DO_NOT_CALL = "do_not_call"
    OUR_ACCOUNT = "our_account"
    RATE_LIMITED = "rate_limited"
    CARRIER_TROUBLE = "carrier_trouble"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    CANCELED = "canceled"


class Again(StrEnum):
    """When this number may be dialled again for this lead."""

    NEVER = "never"
    AFTER_A_FIX = "after_a_fix"
    """Once a person has set something right; until then every try ends the same way."""
    SOON = "soon"
    """After the carrier's `Retry-After`, or a few seconds where it gave none."""
    ONCE = "once"
    """One more time, after some minutes: a second failure is the end of it."""
    LATER = "later"
    """As the retry policy says, in another part of the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What to do about a problem."""

    again: Again
    counts: bool
    """It was an attempt to reach this person, for retry policies and for caps on how often one may be called."""
    pauses_campaign: bool = False
    """Every other call of the campaign would end the same way."""
    remedy: str = ""
    """For the operator: one sentence."""


CONSEQUENCES: Mapping[DialProblem, Consequence] = {
    DialProblem.INVALID_NUMBER: Consequence(
        again=Again.NEVER, counts=False, remedy="Correct or remove the lead's number."
    ),
    DialProblem.NOT_PERMITTED: Consequence(
        again=Again.AFTER_A_FIX,
        counts=False,
        remedy="Check the account's geo permissions and its business profile in the carrier's console.",
    ),
    DialProblem.DO_NOT_CALL: Consequence(
        again=Again.NEVER, counts=False, remedy="Nothing: the number is on the do-not-call list."
    ),
    DialProblem.OUR_ACCOUNT: Consequence(
        again=Again.AFTER_A_FIX,
        counts=False,
        pauses_campaign=True,
        remedy="Check the carrier account: credentials, status and balance, caller id, public URL.",
    ),
    DialProblem.RATE_LIMITED: Consequence(
        again=Again.SOON,
        counts=False,
        remedy="Fewer calls a second or at one time, or a higher limit of the account.",
    ),
    DialProblem.CARRIER_TROUBLE: Consequence(
        again=Again.ONCE, counts=True, remedy="Look at the carrier's status page if it lasts."
    ),
    DialProblem.BUSY: Consequence(again=Again.LATER, counts=True),
    DialProblem.NO_ANSWER: Consequence(again=Again.LATER, counts=True),
    DialProblem.REJECTED: Consequence(
        again=Again.LATER,
        counts=True,
        remedy="If it is frequent: the caller id may be marked as spam; check its reputation and attestation.",
    ),
    DialProblem.CANCELED: Consequence(again=Again.LATER, counts=True),
}

_INVALID, _NOT_PERMITTED = DialProblem.INVALID_NUMBER, DialProblem.NOT_PERMITTED
_OURS, _LIMITED, _TROUBLE = (
    DialProblem.OUR_ACCOUNT,
    DialProblem.RATE_LIMITED,
    DialProblem.CARRIER_TROUBLE,
)

REST_CODES: Mapping[int, tuple[DialProblem, str]] = {
    10001: (_OURS, "the account is not active"),
    10002: (_OURS, "a trial account cannot do this"),
    10004: (_LIMITED, "too many calls of the account at one time"),
    10005: (_OURS, "calling is switched off for the account"),
    13214: (_OURS, "the caller id is not valid"),
    13223: (_INVALID, "not a telephone number"),
    13224: (_TROUBLE, "the number is invalid, or no carrier reaches it: tried once more"),
    13225: (_NOT_PERMITTED, "the carrier blocks calls to this number"),
    13226: (_INVALID, "no such country code"),
    13227: (_NOT_PERMITTED, "calls to this country are not allowed"),
    20003: (_OURS, "the credentials were refused"),
    20005: (_OURS, "the account is suspended or closed"),
    20006: (_OURS, "the credentials have no access to this"),
    20008: (_OURS, "test credentials place no calls"),
    20404: (_OURS, "the account was not found under this address"),
    20429: (_LIMITED, "too many requests at one time"),
    21201: (_INVALID, "no number to call"),
    21203: (_NOT_PERMITTED, "international calls are not allowed"),
    21205: (_OURS, "the webhooks' URL is not valid"),
    21210: (_OURS, "the caller id is not verified"),
    21211: (_INVALID, "not a valid number to call"),
    21212: (_OURS, "the caller id is not valid"),
    21213: (_OURS, "no caller id"),
    21214: (_INVALID, "the number cannot be reached"),
    21215: (_NOT_PERMITTED, "calls to this region are not allowed"),
    21216: (_NOT_PERMITTED, "the carrier blocks calls to this number"),
    21217: (_INVALID, "the number does not exist"),
    21219: (_OURS, "a trial account calls verified numbers only"),
    22005: (_LIMITED, "the account's queue of calls is too long"),
    32100: (_INVALID, "not a valid SIP address or number"),
    32101: (_INVALID, "not a valid number to call"),
    32203: (_NOT_PERMITTED, "the carrier blocks calls to this number"),
    32205: (_NOT_PERMITTED, "calls to this region are not allowed"),
    32224: (_NOT_PERMITTED, "rules of the region forbid the call"),
}
"""What a refusal means, and the words for it."""

SIP_CODES: Mapping[int, DialProblem] = {
    401: _OURS,
    402: _OURS,
    403: _NOT_PERMITTED,
    404: _INVALID,
    407: _OURS,
    408: DialProblem.NO_ANSWER,
    410: _INVALID,
    480: DialProblem.NO_ANSWER,
    484: _INVALID,
    485: _INVALID,
    486: DialProblem.BUSY,
    487: DialProblem.NO_ANSWER,
    600: DialProblem.BUSY,
    603: DialProblem.REJECTED,
    604: _INVALID,
    607: DialProblem.REJECTED,
    608: DialProblem.REJECTED,
}
"""Those that say more than `failed`; any other is the carriers' trouble, 488 and 5xx among them."""

_ENDS = {
    CarrierStatus.BUSY: DialProblem.BUSY,
    CarrierStatus.NO_ANSWER: DialProblem.NO_ANSWER,
    CarrierStatus.CANCELED: DialProblem.CANCELED,
}
_TELLING = frozenset({DialProblem.REJECTED, DialProblem.INVALID_NUMBER})
"""What a SIP code may say of a call whose state is only `busy` or `no-answer`."""


def of_refusal(http_status: int, code: int) -> DialProblem:
    """Why a request to dial was refused: a 4xx, after which certainly no call was placed.

    Raises ValueError for any other status and for 408: nothing is certain then.
    """
    if not 400 <= http_status < 500 or http_status == 408:
        raise ValueError(
            f"HTTP {http_status} is no refusal: whether a call was placed is not known"
        )
    if http_status == 429:
        return DialProblem.RATE_LIMITED
    if (known := REST_CODES.get(code)) is not None:
        return known[0]
    # An unknown 400 may be about this number alone; 401, 403, 404 are about us.
    return DialProblem.NOT_PERMITTED if http_status == 400 else DialProblem.OUR_ACCOUNT


def meaning_of(code: int) -> str:
    """The refusal in words; empty for a code that is not in the table."""
    known = REST_CODES.get(code)
    return known[1] if known is not None else ""


def of_end(status: CarrierStatus | None, sip_code: int = 0) -> DialProblem | None:
    """Why a call that is over was not answered; None for one that was, or is not over."""
    if status is CarrierStatus.FAILED:
        return SIP_CODES.get(sip_code, DialProblem.CARRIER_TROUBLE)
    problem = _ENDS.get(status) if status is not None else None
    said = SIP_CODES.get(sip_code)
    return said if problem is not None and said in _TELLING else problem
