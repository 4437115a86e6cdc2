"""When a vendor is asked no more, and when again."""

from __future__ import annotations

import pytest

from media_gateway.failover.breaker import BreakerPolicy, BreakerState, CircuitBreaker

POLICY = BreakerPolicy(failures=3, share=0.5, window_s=10.0, probe_after_s=1.0, probe_most_s=4.0)


def test_failures_that_are_few_or_far_apart_open_nothing() -> None:
    breaker = CircuitBreaker(POLICY)
    for at_s in (0.0, 6.0, 12.0, 18.0):
        breaker.failed(at_s)
    assert breaker.is_closed
    assert breaker.probe_due_s is None


def test_three_failures_within_the_window_open_it_until_a_probe_succeeds() -> None:
    breaker = CircuitBreaker(POLICY)
    for at_s in (0.0, 1.0, 2.0):
        assert breaker.is_closed
        breaker.failed(at_s)
    assert breaker.state.value == "open"
    assert breaker.probe_due_s == 3.0
    breaker.probe_began(3.0)
    assert breaker.state.value == "half_open"
    assert breaker.probe_due_s is None
    breaker.succeeded(3.2)
    assert breaker.is_closed
    breaker.failed(3.3)
    assert breaker.is_closed, "what was before counts no more"


def test_three_failures_among_many_successes_are_no_outage() -> None:
    breaker = CircuitBreaker(POLICY)
    for n in range(20):
        breaker.succeeded(n / 10)
    for n in range(19):
        breaker.failed(2 + n / 10)
    assert breaker.is_closed
    breaker.failed(4.0)
    assert breaker.state is BreakerState.OPEN


def test_each_probe_that_fails_doubles_the_wait_up_to_a_bound() -> None:
    breaker = CircuitBreaker(POLICY)
    breaker.failed(0.0, is_lasting=True)
    waits = []
    for _ in range(4):
        due_s = breaker.probe_due_s
        assert due_s is not None
        breaker.probe_began(due_s)
        breaker.failed(due_s)
        assert breaker.probe_due_s is not None
        waits.append(breaker.probe_due_s - due_s)
    assert waits == [2.0, 4.0, 4.0, 4.0]


def test_what_lasts_opens_it_at_once() -> None:
    breaker = CircuitBreaker(POLICY)
    breaker.failed(5.0, is_lasting=True)
    assert breaker.probe_due_s == 6.0


def test_a_vendor_that_asks_for_time_gets_it() -> None:
    breaker = CircuitBreaker(POLICY)
    breaker.failed(5.0, retry_after_s=20.0)
    assert breaker.probe_due_s == 25.0


def test_a_call_that_had_nobody_else_to_ask_and_was_served_closes_it() -> None:
    breaker = CircuitBreaker(POLICY)
    breaker.failed(0.0, is_lasting=True)
    breaker.failed(0.5)
    assert breaker.probe_due_s == 1.0, "what is known already puts nothing off"
    breaker.succeeded(0.7)
    assert breaker.is_closed


def test_a_probe_before_its_time_is_refused_and_changes_nothing() -> None:
    breaker = CircuitBreaker(POLICY)
    with pytest.raises(ValueError, match="no probe is due"):
        breaker.probe_began(0.0)
    breaker.failed(0.0, is_lasting=True)
    with pytest.raises(ValueError, match="no probe is due"):
        breaker.probe_began(0.5)
    assert breaker.probe_due_s == 1.0
