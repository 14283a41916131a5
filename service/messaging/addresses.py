"""Addresses of e-mail, also internationalised ones, by the package ``email-validator``."""

from __future__ import annotations

from streamq import ConfigurationError


def normal_address(text: str) -> str:
    """The address as it is sent: its domain in lower case, all of it in Unicode's composed form.

    Raises ``ValueError`` with what is wrong, and ``ConfigurationError`` where the package is missing.
    """
    try:
        import email_validator  # noqa: PLC0415  # an extra: whoever sends no e-mail needs none
    except ImportError:
        raise ConfigurationError(
            "e-mail needs the package email-validator: install streamq[messaging]"
        ) from None
    found = email_validator.validate_email(text, check_deliverability=False, test_environment=True)
    return found.normalized
