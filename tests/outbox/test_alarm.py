"""When a growing outbox is told of."""

from __future__ import annotations

from media_gateway.outbox.alarm import Growth, GrowthAlarm


def test_each_step_is_told_once_on_the_way_up() -> None:
    alarm = GrowthAlarm()
    told = [depth for depth in range(3000) if alarm.observe(depth, 1.0)]
    assert told == [100, 500, 2500]


def test_a_single_letter_that_stays_is_told_of_too() -> None:
    alarm = GrowthAlarm()
    told = [age_s for age_s in range(1000) if alarm.observe(1, float(age_s))]
    assert told == [60, 600]


def test_back_is_told_once_and_not_on_the_brink() -> None:
    alarm = GrowthAlarm()
    assert alarm.observe(10, 1.0) is None
    assert alarm.observe(100, 1.0) is Growth.GROWS
    assert [alarm.observe(depth, 1.0) for depth in (99, 100, 101, 50)] == [None] * 4
    assert alarm.observe(49, 31.0) is None
    assert alarm.observe(49, 1.0) is Growth.BACK
    assert alarm.observe(0, 0.0) is None
    assert alarm.observe(100, 1.0) is Growth.GROWS
