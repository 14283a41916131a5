"""Known holes: versions of the server in which somebody can do more than it is allowed to.

The table has the holes by which a client takes over the server or ends it, for the versions that this library runs on.
Fixes that a distribution ships under the same version number it cannot know, and the finding says so.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from streamq.doctor.finding import Finding, Patient
from streamq.doctor.server import version_in
from streamq.redis.replies import product_of

AS_OF: Final = "2026-11-26"
"""The day to which the table is complete, as far as we know."""


class Hole(NamedTuple):
    """An advisory, and by branch the first version without it. A branch that is not named has none."""

    advisory: str
    what: str
    fixed: dict[str, str]


REDIS: Final = (
    # GHSA-xr47-pcmx-fq2m; the last of 7.0 is 7.0.15
    Hole("CVE-2023-41056", "memory of a buffer is overwritten", {"7.0": "7.0.15", "7.2": "7.2.4"}),
    # GHSA-4789-qfc9-5f9q; with it CVE-2025-46817, CVE-2025-46818 and CVE-2025-46819
    Hole("CVE-2025-49844", "a script runs code on the server", {
        "7.0": "7.2.11", "7.2": "7.2.11", "7.4": "7.4.6", "8.0": "8.0.4", "8.2": "8.2.2",
    }),
    # release notes of 8.2.3
    Hole("CVE-2025-62507", "XACKDEL runs code on the server", {"8.2": "8.2.3"}),
    # GHSA-93m2-935m-8rj3; with it CVE-2026-25243 and CVE-2026-23631. 8.0 has no version without it
    Hole("CVE-2026-23479", "a blocked client runs code on the server", {
        "7.2": "7.2.14", "7.4": "7.4.9", "8.0": "8.2.6", "8.2": "8.2.6", "8.4": "8.4.3", "8.6": "8.6.3",
    }),
    # CISA VA-26-239-01; on servers with TLS, without a login
    Hole("CVE-2026-81934", "anybody runs code on a server with TLS", {
        "7.0": "7.2.16", "7.2": "7.2.16", "7.4": "7.4.11", "8.0": "8.2.9", "8.2": "8.2.9", "8.4": "8.4.6",
        "8.6": "8.6.6", "8.8": "8.8.2", "8.10": "8.10.1",
    }),
)  # fmt: skip
VALKEY: Final = (
    # release notes of 8.1.4; with it CVE-2025-46817, CVE-2025-46818 and CVE-2025-46819
    Hole("CVE-2025-49844", "a script runs code on the server", {
        "7.2": "7.2.11", "8.0": "8.0.6", "8.1": "8.1.4",
    }),
    # BIT-valkey-2025-67733
    Hole("CVE-2025-67733", "a script forges replies to others", {
        "7.2": "7.2.12", "8.0": "8.0.7", "8.1": "8.1.6", "9.0": "9.0.2",
    }),
    # release notes of 9.0.3
    Hole("CVE-2026-27623", "anybody ends the server", {"9.0": "9.0.3"}),
    # release notes of 8.1.9, 9.0.5 and 9.1.1; with it CVE-2026-63639
    Hole("CVE-2026-56684", "a client runs code on a server with TLS", {
        "8.1": "8.1.9", "9.0": "9.0.5", "9.1": "9.1.1",
    }),
)  # fmt: skip


def open_in(product: str, version: str) -> list[Hole]:
    """The holes that a version has, as far as its number tells."""
    number = version_in(version)
    branch = ".".join(map(str, number[:2]))
    table = VALKEY if product == "Valkey" else REDIS
    return [hole for hole in table if branch in hole.fixed and number < version_in(hole.fixed[branch])]


async def look(patient: Patient) -> list[Finding]:
    """The holes of this server."""
    versions = dict.fromkeys(product_of(info) for info in patient.infos.values() if info)
    return [finding for product, version in versions for finding in _of_version(product, version)]


def _of_version(product: str, version: str) -> list[Finding]:
    holes = open_in(product, version)
    if not holes:
        return [
            Finding("holes", "no-known-hole", "ok", f"no known hole in {product} {version} (as of {AS_OF})")
        ]
    branch = ".".join(map(str, version_in(version)[:2]))
    closing = max((hole.fixed[branch] for hole in holes), key=version_in)
    listed = ", ".join(f"{hole.advisory} ({hole.what})" for hole in holes)
    said = f"{product} {version} has known holes (as of {AS_OF}): {listed}"
    remedy = f"use {product} {closing} or newer; a distribution may have fixed them without a new number"
    return [Finding("holes", "known-holes", "warn", said, remedy)]
