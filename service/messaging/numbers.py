"""Numbers of recipients: in the international form, E.164, by the numbering plans that ``phonenumbers`` knows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from streamq import ConfigurationError

from ..settings import ServiceSettings

MISSING: Final = (
    "sms_numbers=e164 needs the package phonenumbers: install streamq[messaging], or set sms_numbers=any"
)


Number = Callable[[str], str | None]
"""A number in the form in which the provider gets it; None for what can be none."""


def numbers_of(settings: ServiceSettings) -> Number:
    """How numbers are read. Raises ``ConfigurationError`` where they are to be checked, and nothing can."""
    if settings.sms_numbers == "any":
        return str
    try:
        import phonenumbers  # noqa: F401, PLC0415  # an extra, and a megabyte: whoever takes any number needs none
    except ImportError:
        raise ConfigurationError(MISSING) from None
    return partial(international, region=settings.sms_region)


def international(text: str, region: str | None) -> str | None:
    """The number as E.164 has it, which a national one becomes in its ``region``; None for what can be none."""
    import phonenumbers  # noqa: PLC0415  # as above

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
