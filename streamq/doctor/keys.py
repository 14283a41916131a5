"""Keys that lie where ours do and are of another type: another program, or a hand, has written them."""

from __future__ import annotations

from streamq.doctor.finding import Finding, Patient
from streamq.errors import ConfigurationError, Rejected


async def look(patient: Patient) -> list[Finding]:
    """Each key of each queue, and those that all share; nothing where our user may not ask for types."""
    try:
        found = await patient.app.misplaced_keys()
    except (Rejected, ConfigurationError):
        return []
    return [Finding("keys", "key-of-another-type", "fail", each.said, each.remedy) for each in found]
