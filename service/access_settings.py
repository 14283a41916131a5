"""Settings of who may ask over HTTP, beside API keys."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from streamq import Settings

_ORIGIN: Final = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,60}")

_WIDEST: Final = {4: 8, 6: 7}
"""Bits of the widest networks that are anybody's own: 10.0.0.0/8 and fc00::/7."""


def listed(text: str) -> tuple[str, ...]:
    """The parts of a list that is separated by commas."""
    return tuple(part for each in text.split(",") if (part := each.strip()))


class AccessSettings(Settings):
    """What opens the API to web pages of others, and to those whom a proxy has let in."""

    cors_origins: str = Field(
        default="",
        description="Origins of web pages that may call the API with a key, as https://app.example.com, separated by "
        "commas, or * for all. Default: none.",
    )
    trusted_proxy_addresses: str = Field(
        default="",
        description="Addresses or networks of proxies that say who asks, as 10.0.0.7,10.1.0.0/16. Default: none.",
    )
    trusted_proxy_header: str = Field(
        default="X-Forwarded-User", description="Header in which such a proxy names who asks."
    )
    trusted_proxy_scope: Literal["read", "write", "admin"] = Field(
        default="read", description="What those may do whom such a proxy names: read, write or admin."
    )

    trusted_proxy_groups: str = Field(
        default="",
        description="Scopes by groups that such a proxy names, as ops:admin,dev:write,*:read, * for all others: "
        "the highest counts, and who is in none is not let in. Default: none, all have the scope above.",
    )
    trusted_proxy_groups_header: str = Field(
        default="X-Forwarded-Groups", description="Header in which such a proxy names the groups of who asks."
    )

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_origins(cls, value: str) -> str:
        for each in listed(value):
            if each != "*" and not _ORIGIN.fullmatch(each):
                raise ValueError(
                    "each is a scheme and a host without a path, such as https://app.example.com, or *"
                )
        return value

    @field_validator("trusted_proxy_addresses")
    @classmethod
    def _proxies_are_addresses(cls, value: str) -> str:
        for each in listed(value):
            try:
                network = ip_network(each)
            except ValueError:
                raise ValueError("each is an address or a network, such as 10.0.0.7 or 10.1.0.0/16") from None
            if network.prefixlen < _WIDEST[network.version]:
                said = f"{each} is nearly everybody, and each could say who they are: name the proxies alone"
                raise ValueError(said)
        return value

    @field_validator("trusted_proxy_scope", "trusted_proxy_groups")
    @classmethod
    def _there_is_a_proxy(cls, value: str, info: ValidationInfo) -> str:
        if (
            value.strip() not in ("", "read")
            and not info.data.get("trusted_proxy_addresses", "wrong").strip()
        ):
            raise ValueError(
                "it does nothing without trusted_proxy_addresses: name the proxies, or leave it out"
            )
        return value

    @field_validator("trusted_proxy_groups")
    @classmethod
    def _groups_have_scopes(cls, value: str) -> str:
        groups = [each.rpartition(":")[0].strip() for each in listed(value)]
        if twice := next((group for group in groups if groups.count(group) > 1), ""):
            raise ValueError(f"the group {twice} comes twice: say its scope once")
        for each in listed(value):
            group, _, scope = each.rpartition(":")
            if not group.strip() or scope.strip() not in ("read", "write", "admin"):
                raise ValueError("each is a group and its scope, such as ops:admin, or *:read for all others")
        return value

    @field_validator("trusted_proxy_header", "trusted_proxy_groups_header")
    @classmethod
    def _header_is_a_name(cls, value: str) -> str:
        if not _HEADER.fullmatch(value) or value.lower() in ("authorization", "host", "cookie"):
            raise ValueError("it is the name of a header, such as X-Forwarded-User")
        return value
