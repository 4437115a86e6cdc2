"""Every refusal and every end of a call has one meaning, and none is taken for the lead's fault that is ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.carrier_errors import (
    CONSEQUENCES,
    REST_CODES,
    SIP_CODES,
    Again,
    DialProblem,
    meaning_of,
    of_end,
    of_refusal,
)
from workflows.carrier_view import CarrierView
from workflows.contracts.payloads import CarrierStatus, CarrierUpdate


@pytest.mark.parametrize(
    ("status", "code", "problem"),
    [
        (400, 21211, DialProblem.INVALID_NUMBER),
        (400, 21214, DialProblem.INVALID_NUMBER),
        (400, 21217, DialProblem.INVALID_NUMBER),
        (400, 13224, DialProblem.CARRIER_TROUBLE),
        (400, 21215, DialProblem.NOT_PERMITTED),
        (403, 13227, DialProblem.NOT_PERMITTED),
        (403, 21216, DialProblem.NOT_PERMITTED),
        (403, 13225, DialProblem.NOT_PERMITTED),
        (400, 21210, DialProblem.OUR_ACCOUNT),
        (400, 21212, DialProblem.OUR_ACCOUNT),
        (400, 21219, DialProblem.OUR_ACCOUNT),
        (401, 20003, DialProblem.OUR_ACCOUNT),
        (403, 20005, DialProblem.OUR_ACCOUNT),
        (400, 10004, DialProblem.RATE_LIMITED),
        (429, 20429, DialProblem.RATE_LIMITED),
        (429, 0, DialProblem.RATE_LIMITED),
        (401, 0, DialProblem.OUR_ACCOUNT),
        (404, 0, DialProblem.OUR_ACCOUNT),
        (400, 99_999, DialProblem.NOT_PERMITTED),
    ],
)
def test_a_refusals_meaning(status: int, code: int, problem: DialProblem) -> None:
    assert of_refusal(status, code) is problem


@pytest.mark.parametrize(
    ("status", "sip_code", "problem"),
    [
        (CarrierStatus.FAILED, 404, DialProblem.INVALID_NUMBER),
        (CarrierStatus.FAILED, 410, DialProblem.INVALID_NUMBER),
        (CarrierStatus.FAILED, 403, DialProblem.NOT_PERMITTED),
        (CarrierStatus.FAILED, 486, DialProblem.BUSY),
        (CarrierStatus.FAILED, 480, DialProblem.NO_ANSWER),
        (CarrierStatus.FAILED, 503, DialProblem.CARRIER_TROUBLE),
        (CarrierStatus.FAILED, 488, DialProblem.CARRIER_TROUBLE),
        (CarrierStatus.FAILED, 0, DialProblem.CARRIER_TROUBLE),
        (CarrierStatus.FAILED, 603, DialProblem.REJECTED),
        (CarrierStatus.BUSY, 486, DialProblem.BUSY),
        (CarrierStatus.BUSY, 603, DialProblem.REJECTED),
        (CarrierStatus.NO_ANSWER, 487, DialProblem.NO_ANSWER),
        (CarrierStatus.NO_ANSWER, 503, DialProblem.NO_ANSWER),
        (CarrierStatus.CANCELED, 487, DialProblem.CANCELED),
        (CarrierStatus.COMPLETED, 200, None),
        (CarrierStatus.COMPLETED, 404, None),
        (CarrierStatus.IN_PROGRESS, 0, None),
        (None, 0, None),
    ],
)
def test_an_ends_meaning(
    status: CarrierStatus | None, sip_code: int, problem: DialProblem | None
) -> None:
    assert of_end(status, sip_code) is problem


def test_every_problem_has_a_disposition_and_those_that_need_a_person_say_what_to_do() -> None:
    assert set(CONSEQUENCES) == set(DialProblem)
    for consequence in CONSEQUENCES.values():
        if consequence.again in (Again.NEVER, Again.AFTER_A_FIX) or consequence.pauses_campaign:
            assert consequence.remedy.endswith(".")


def test_what_is_ours_is_never_an_attempt_at_the_lead() -> None:
    for problem in (DialProblem.OUR_ACCOUNT, DialProblem.RATE_LIMITED, DialProblem.NOT_PERMITTED):
        assert not CONSEQUENCES[problem].counts
        assert CONSEQUENCES[problem].again is not Again.NEVER


@given(st.integers(400, 499).filter(lambda n: n != 408), st.integers(0, 99_999))
def test_any_refusal_has_a_meaning_and_an_unknown_one_never_strikes_the_lead_off(
    status: int, code: int
) -> None:
    problem = of_refusal(status, code)
    if code not in REST_CODES:
        assert CONSEQUENCES[problem].again is not Again.NEVER
        assert meaning_of(code) == ""
    elif status != 429:
        assert meaning_of(code)


@given(st.integers(100, 699).filter(lambda n: not 400 <= n < 500) | st.just(408))
def test_what_is_no_refusal_is_not_read_as_one(status: int) -> None:
    with pytest.raises(ValueError, match="not known"):
        of_refusal(status, 21211)


@given(st.integers(0, 999))
def test_no_end_of_a_call_is_blamed_on_our_requests(sip_code: int) -> None:
    assert of_end(CarrierStatus.FAILED, sip_code) is not DialProblem.RATE_LIMITED
    if sip_code not in SIP_CODES:
        assert of_end(CarrierStatus.FAILED, sip_code) is DialProblem.CARRIER_TROUBLE


def test_the_view_keeps_the_sip_code_of_the_end_only() -> None:
    view = CarrierView()
    view.take(CarrierUpdate(call_sid="CA1", status=CarrierStatus.RINGING, sip_code=180))
    assert view.sip_code == 0
    view.take(CarrierUpdate(call_sid="CA1", status=CarrierStatus.FAILED, sip_code=404))
    view.take(CarrierUpdate(call_sid="CA1", status=CarrierStatus.COMPLETED, sip_code=200))
    assert view.sip_code == 404
