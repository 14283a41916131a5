"""A job by its id alone, whatever its queue."""

from __future__ import annotations

from typing import Final

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..site import Site
from .jobs import JOB_NOT_FOUND, UNCHANGED, JobDocument, versioned
from .told_job import sees_tracebacks

SEVERAL: Final = ProblemType(
    409, "several-jobs", "each of `queues` has a job of that id: ask for it in one of them"
)


async def show(site: Site, asked: Asked[None, None]) -> Answer:
    """As in its queue."""
    job_id = asked.request.match_info["id"]
    found = await site.engine.find(job_id)
    if len(found) == 1:
        return versioned(found[0], traced=sees_tracebacks(site, asked.request))
    if not found:
        detail = (
            f"No queue has a job {job_id[:100]!r}, or not any more: GET /api/v1/queues lists the queues, and "
            "GET /api/v1/queues/{queue}/jobs their jobs."
        )
        raise Problem(JOB_NOT_FOUND, detail)
    queues = [job.queue for job in found]
    raise Problem(SEVERAL, f"The queues {', '.join(queues)} have a job of that id each.", queues=queues)


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/jobs/{id}", handler=show, scope=Scope.READ,
        summary="everything known of a job, in whichever queue it is",
        answers=(Success(200, "The job", JobDocument, ("ETag",)), UNCHANGED),
        problems=(JOB_NOT_FOUND, SEVERAL, *OUTAGES),
    ),
)  # fmt: skip
