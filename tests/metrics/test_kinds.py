"""A vendor's failure is of one of few kinds, whatever text it comes with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.metrics.kinds import KINDS, kind_of


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("refused with HTTP 401", "auth"),
        ("refused with HTTP 429", "rate_limit"),
        ("refused with HTTP 503", "server"),
        ("refused with HTTP 404", "http"),
        ("http", "http"),
        ("TimeoutError", "timeout"),
        ("timeout", "timeout"),
        ("no audio in time", "timeout"),
        ("closed with 1011 NET-0001", "closed"),
        ("socket closed", "closed"),
        ("malformed audio", "malformed"),
        ("ConnectionRefusedError", "unreachable"),
        ("gaierror", "unreachable"),
        ("move", "refused"),
        ("quota_exceeded", "other"),
    ],
)
def test_each_reason_of_the_adapters_has_its_kind(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind


@given(st.text())
def test_no_text_makes_a_kind_of_its_own(reason: str) -> None:
    assert kind_of(reason) in KINDS
