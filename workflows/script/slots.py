"""PURE. Reads a slot's value from words: what a model wrote, or what a recogniser heard."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from workflows.script.model import Slot, SlotType, SlotValue

_YES = re.compile(
    r"^(yes|yeah|yep|yup|sure|true|correct|right|definitely|of course|i do|we do|ok|okay)\b"
)
_NO = re.compile(r"^(no|nope|nah|not|false|never|i don'?t|we don'?t)\b")
_UNITS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = dict(
    zip(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"],
        range(20, 100, 10),
        strict=True,
    )
)
_DIGITS = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_EMAIL = re.compile(r"[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = re.compile(
    r"\b(?:at|around|about|by)?\s*(\d{1,2})(?::(\d{2}))?\s*(a\.?m\.?|p\.?m\.?|o'?clock)?"
    r"(?:\s*(?:in the )?(morning|afternoon|evening))?"
)
LARGEST_NUMBER = 1e12
LONGEST_TEXT = 200
"""Characters of a free text or name slot."""


def parse_slot(slot: Slot, raw: str, today: str) -> SlotValue:
    """The typed value of what was given for a slot. Raises ValueError with a reason an author can read."""
    text = " ".join(raw.split())
    if not text:
        raise ValueError("nothing was given")
    match slot.type:
        case SlotType.YES_NO:
            return _yes_no(text)
        case SlotType.INTEGER:
            number = _number(text)
            if not number.is_integer():
                raise ValueError("not a whole number")
            return int(_in_range(slot, number))
        case SlotType.MONEY:
            return _in_range(slot, _number(text))
        case SlotType.CHOICE:
            return _choice(slot, text)
        case SlotType.NAME | SlotType.TEXT:
            if len(text) > LONGEST_TEXT:
                raise ValueError(f"longer than {LONGEST_TEXT} characters")
            return text
        case SlotType.EMAIL:
            return _email(text)
        case SlotType.PHONE:
            digits = re.sub(r"\D", "", text)
            if not 10 <= len(digits) <= 15:
                raise ValueError("not a telephone number of 10 to 15 digits")
            return ("+" if len(digits) > 10 else "+1") + digits
        case SlotType.DATETIME:
            return _datetime(text, today)


def _yes_no(text: str) -> bool:
    lowered = re.sub(r"^(well|um|uh|so|oh)[, ]+", "", text.lower())
    if _NO.match(lowered):
        return False
    if _YES.match(lowered):
        return True
    raise ValueError("neither yes nor no")


def _number(text: str) -> float:
    digits = _DIGITS.search(text)
    said = float(digits.group().replace(",", "")) if digits else _spoken_number(text)
    if said is None:
        raise ValueError("no number in it")
    if said > LARGEST_NUMBER:
        raise ValueError("a number that nobody means")
    return float(said)


def _spoken_number(text: str) -> int | None:
    """`one hundred and eighty` → 180. The first number in the words."""
    total, current, found = 0, 0, False
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _UNITS:
            current += _UNITS[word]
        elif word in _TENS:
            current += _TENS[word]
        elif word == "hundred" and found:
            current = max(current, 1) * 100
        elif word == "thousand" and found:
            total, current = total + max(current, 1) * 1000, 0
        elif word == "and" and found:
            continue
        elif found:
            break
        else:
            continue
        found = True
    return total + current if found else None


def _in_range(slot: Slot, number: float) -> float:
    if slot.minimum is not None and number < slot.minimum:
        raise ValueError(f"below {slot.minimum:g}")
    if slot.maximum is not None and number > slot.maximum:
        raise ValueError(f"above {slot.maximum:g}")
    return number


def _choice(slot: Slot, text: str) -> str:
    lowered = text.lower()
    exact = [choice for choice in slot.choices if choice.lower() == lowered]
    if exact:
        return exact[0]
    words = set(re.findall(r"[a-z0-9]+", lowered))
    near = [
        choice for choice in slot.choices if words & set(re.findall(r"[a-z0-9]+", choice.lower()))
    ]
    if len(near) != 1:
        raise ValueError(f"not one of {', '.join(slot.choices)}")
    return near[0]


def _email(text: str) -> str:
    lowered = text.lower().replace(" at ", "@").replace(" dot ", ".").replace(" ", "").rstrip(".")
    found = _EMAIL.search(lowered)
    if not found:
        raise ValueError("not an e-mail address")
    return found.group()


def _datetime(text: str, today: str) -> str:
    """ISO local time to the minute. Days are read from `today` on; times without a half of the day are office hours."""
    try:
        day = date.fromisoformat(today)
    except ValueError:
        raise ValueError("no date is known at this point of the call") from None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = _spoken_datetime(text.lower(), day)
    if at.tzinfo is not None:
        at = at.replace(tzinfo=None)
    if at.date() < day:
        raise ValueError("in the past")
    return at.isoformat(timespec="minutes")


def _spoken_datetime(text: str, today: date) -> datetime:
    weekday = next((day for day in _DAYS if day in text), None)
    if weekday is not None:
        ahead = (_DAYS.index(weekday) - today.weekday()) % 7 or 7
        day = today + timedelta(days=ahead)
        text = text.replace(weekday, " ")
    elif "tomorrow" in text:
        day = today + timedelta(days=1)
    elif "today" in text:
        day = today
    else:
        raise ValueError("no day in it")
    for word, value in _UNITS.items():
        text = re.sub(rf"\b{word}\b", str(value), text)
    if "noon" in text:
        return datetime.combine(day, time(12))
    clock = _CLOCK.search(text)
    if clock is None:
        raise ValueError("no time of day in it")
    hour, minute = int(clock.group(1)), int(clock.group(2) or 0)
    half = (clock.group(3) or "").replace(".", "")
    if hour > 23 or minute > 59:
        raise ValueError("no such time of day")
    late = half == "pm" or clock.group(4) in ("afternoon", "evening")
    early = half == "am" or clock.group(4) == "morning"
    if hour < 12 and (late or (not early and hour < 8)):
        hour += 12
    if half == "am" and hour == 12:
        hour = 0
    return datetime.combine(day, time(hour, minute))
