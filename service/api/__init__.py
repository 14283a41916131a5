"""The REST API, one file for each resource: its models, its routes and its handlers."""

from __future__ import annotations

from typing import Final

from ..http.route import AnyRoute
from . import (
    ai,
    audit,
    breakers,
    by_id,
    changes,
    channels,
    contacts,
    deliveries,
    email,
    events,
    failed,
    groups,
    health,
    index,
    jobs,
    me,
    operations,
    opt_outs,
    queues,
    reports,
    schedules,
    shared_limits,
    sms,
    stats,
    steering,
    webhooks,
    why,
    workers,
)

ROUTES: Final[tuple[AnyRoute, ...]] = (
    *health.ROUTES,
    *me.ROUTES,
    *events.ROUTES,
    *workers.ROUTES,
    *jobs.ROUTES,
    *changes.ROUTES,
    *reports.ROUTES,
    *queues.ROUTES,
    *steering.ROUTES,
    *groups.ROUTES,
    *breakers.ROUTES,
    *shared_limits.ROUTES,
    *operations.ROUTES,
    *audit.ROUTES,
    *failed.ROUTES,
    *schedules.ROUTES,
    *sms.ROUTES,
    *email.ROUTES,
    *ai.ROUTES,
    *channels.ROUTES,
    *webhooks.ROUTES,
    *deliveries.ROUTES,
    *opt_outs.ROUTES,
    *contacts.ROUTES,
    *why.ROUTES,
    *by_id.ROUTES,
    *stats.ROUTES,
    *index.ROUTES,
)
"""All routes of the API. The router tries those that begin alike in this order: jobs are asked for the most."""
