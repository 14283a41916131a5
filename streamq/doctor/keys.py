"""Keys that lie where ours do and are of another type: another program, or a hand, has written them."""

from __future__ import annotations

from streamq.doctor.finding import Finding, Patient
from streamq.errors import ConfigurationError, Rejected
from streamq.model.typed import typed


async def look(patient: Patient) -> list[Finding]:
    """Each key of each queue, and those that all share; nothing where our user may not ask for types."""
    try:
        found = await patient.app.misplaced_keys()
    except (Rejected, ConfigurationError):
        return []
    said = [Finding("keys", "key-of-another-type", "fail", each.said, each.remedy) for each in found]
    return said + await _moved(patient)


async def _moved(patient: Patient) -> list[Finding]:
    """The queues that are on their way from or to this server, or have left it, and that somebody still uses here."""
    doors = {
        queue: await patient.app.client.store.migrations.door(queue) for queue in await patient.app.queues()
    }
    return [
        Finding("keys", "queue-moved", "fail", f"queue {queue} {door} and takes no jobs here", _remedy(door, queue))
        for queue, door in doors.items() if door
    ]  # fmt: skip


def _remedy(door: str, queue: str) -> str:
    if door.startswith("comes"):
        return "wait until `streamq migrate` has ended, or start it again where the queue comes from"
    return (
        "when `streamq migrate` has ended, start the roles with the address of that server; then remove what is left "
        f"here with `{typed('queue rm', queue)}`"
    )
