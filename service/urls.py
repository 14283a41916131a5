"""Checks of addresses in settings."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from streamq import public_address


def parts_of(url: str) -> SplitResult | None:
    """The parts of an address with a host; None for what is none, as one whose port is no number."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and (parts.port is None or parts.port > 0) else None
    except ValueError:
        return None


def check_database(url: str) -> None:
    """Raise ``ValueError`` for what is no address of a database.

    The error has no part of the address in it, as it may be one of the password.
    """
    rest = url.partition("://")[2]
    login = "" if rest.startswith("/") else rest.rpartition("@")[0]
    if set(login) & set("/@?#[]"):
        raise ValueError("its password has one of / @ ? # [ ] in it: write these as %2F %40 %3F %23 %5B %5D")
    try:
        parts = urlsplit(url)
        hosts = parts.netloc.rpartition("@")[2].split(",")
        ports = [each.rpartition(":")[2] for each in hosts if ":" in each and not each.endswith("]")]
        fine = all(port.isascii() and port.isdigit() and 0 < int(port) < 65_536 for port in ports)
        fine = fine and parts.scheme in ("postgres", "postgresql")
    except ValueError:
        fine = False
    if not fine:
        raise ValueError("it must be an address such as postgresql://login:password@db.example.com:5432/name")


def check_http(url: str) -> None:
    """Raise ``ValueError`` for what is no address of HTTP."""
    shown = public_address(url)
    if not shown.startswith(("http://", "https://")) or not shown.isascii() or "," in url:
        raise ValueError("it must be an http or https URL, such as https://sms.example.com")
