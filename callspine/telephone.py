"""Which telephone numbers can be dialled, in E.164 as the carriers mean it."""

from __future__ import annotations

import phonenumbers

from callspine.settings import SettingsError


def e164(text: str) -> str:
    """The number in E.164. Raises SettingsError for one that cannot be dialled."""
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException as error:
        raise SettingsError(f"{text!r} is not a telephone number: {error}") from None
    if not phonenumbers.is_possible_number(number):
        raise SettingsError(
            f"{text!r} is not a possible telephone number; write it as +12125550142"
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
