"""Addresses of e-mail, also internationalised ones, by the package ``email-validator``."""

from __future__ import annotations

from typing import Any, cast

from streamq import ConfigurationError


def normal_address(text: str) -> str:
    """The address as it is sent: its domain in lower case, all of it in Unicode's composed form.

    Raises ``ValueError`` with what is wrong, and ``ConfigurationError`` where the package is missing.
    """
    return cast("str", _read(text).normalized)


def ascii_form(address: str) -> str:
    """A normal address as every mail server takes it: its domain in Punycode, where what stands before is ASCII."""
    user, _, domain = address.rpartition("@")
    if address.isascii() or not user.isascii():
        return address
    return f"{user}@{_read(f'x@{domain}').ascii_domain}"


def sender_of(text: str) -> tuple[str, str]:
    """Name and address of ``Shop <shop@example.com>``, or of an address alone, which has no name.

    Raises as ``normal_address`` does.
    """
    name, begin, rest = text.strip().rpartition("<")
    if begin and not rest.endswith(">"):
        raise ValueError("A < begins an address, and no > ends it.")
    if not name.isprintable():
        raise ValueError("A name must not have control characters in it.")
    return name.strip().strip('"'), normal_address(rest.removesuffix(">"))


def _read(text: str) -> Any:
    try:
        import email_validator  # noqa: PLC0415  # an extra: whoever sends no e-mail needs none
    except ImportError:
        raise ConfigurationError(
            "e-mail needs the package email-validator: install streamq[messaging]"
        ) from None
    return email_validator.validate_email(text, check_deliverability=False, test_environment=True)
