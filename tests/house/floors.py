"""Which module of the engine stands on which floor, and who may import what from outside. Edit here."""

from __future__ import annotations

FLOORS: dict[str, frozenset[str]] = {
    "ground": frozenset({
        "tickets", "acting", "errors", "noun_errors", "durations", "verdicts", "times", "exits", "model", "settings",
        "logs", "job_lines",
    }),
    "redis": frozenset({"redis"}),
    "embedded": frozenset({"embedded"}),
    "store": frozenset({"store"}),
    "liveness": frozenset({"liveness"}),
    "client": frozenset({"client"}),
    "nouns": frozenset({
        "job", "queue", "group", "grouping", "limited", "operation", "bulk", "many", "audited", "keeping", "records",
        "statistics", "tallies", "options", "once", "breaker", "shared", "published", "looking",
        "partitioned", "merging", "remote_worker", "slow",
        "terms", "costs", "unique", "versions", "hooks", "handlers", "task", "fields_task", "failed", "notes", "sync",
        "scheduling", "schedules", "program", "context", "declare",
    }),
    "duties": frozenset({"duties"}),
    "worker": frozenset({"worker"}),
    "app": frozenset({"app"}),
    "around": frozenset({"testing", "doctor", "otel", "moving"}),
    "mains": frozenset({"cli", "runtime", "loading", "__main__"}),
}  # fmt: skip
"""From the ground up, as `docs/explanation/architecture.md` tells of them. A name stands for a module, or for a package
with all that is in it.

The last floor has the mains; they alone stand above ``streamq/__init__.py`` and may import it.
"""

SERVICE: tuple[frozenset[str], ...] = (
    frozenset({"access_settings", "clock", "json_text", "lately", "settings", "traces", "urls"}),
    frozenset({"intake"}),
    frozenset({"http", "messaging", "readiness", "room"}),
    frozenset({"dashboard", "sandbox"}),
    frozenset({"site"}),
    frozenset({"api"}),
    frozenset({"app"}),
    frozenset({"run"}),
)
"""The same of the service. Messages are sent without HTTP, and what routes share knows no resource."""

ONLY_IN: dict[str, frozenset[str]] = {
    "redis": frozenset({"redis"}),
    "hiredis": frozenset({"redis"}),
    "orjson": frozenset({"model.codec"}),
    "dotenv": frozenset({"settings.variables"}),
    "json": frozenset({"model.codec"}),
    "click": frozenset({"cli", "runtime", "loading"}),
    "uvloop": frozenset({"cli", "runtime", "loading"}),
    "aiohttp": frozenset(),
    "cronsim": frozenset({"model.cron"}),
    "opentelemetry": frozenset({"otel"}),
    "holidays": frozenset({"model.calendars"}),
}
"""Modules of the engine that may import a foreign package; nobody else in it may."""

UPPER: dict[str, frozenset[str]] = {
    "service": frozenset({"redis", "hiredis", "bench"}),
    "bench": frozenset({"service"}),
}
"""What stands on the engine, and what it must not import. `bench` may use redis: its bare loop needs it."""
