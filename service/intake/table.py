"""A table whose rows become jobs, and the statements about it.

A row is taken in two steps, so that no crash between them loses it or doubles it:

step       what is written                         who dies after it leaves
--------   -------------------------------------   -------------------------------------------------------------
claim      processing, and a name for its job      a claim that another finds stale, and goes on under that name
job        the job, under a unique key: the name   the same; the key leads to the job that is there
enqueued   the job's id, in the row                a row that has its job, which whoever looks follows
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from streamq import App, Job, Unique

STALE: Final = 15
"""Seconds after which a claim without a job is taken up by whoever looks: many times what a batch takes."""
WINDOW: Final = 6 * 3600
"""Seconds for which the key of a job leads to it, whatever has become of it: as long as a claim may be taken up."""
MARGIN: Final = 600
"""Seconds before the end of the window from which a claim is not taken up any more."""
BYTES: Final = 4_194_304
"""Bytes of the rows that are read at once; the first of them may have more."""
ONCE: Final = Unique(window=WINDOW)
"""How the job of a row is one."""
UNKNOWN: Final = (
    "unknown: the service that took this row ended before it wrote down the job, and nobody looked for too long; "
    "see whether it was sent, and set status to pending to send it again"
)

Fields = Mapping[str, Any]


class Unreadable(ValueError):
    """A row asks for nothing that can be done: it fails, with this as its error."""


@dataclass(frozen=True)
class Statements:
    """Those about one table, whose ids are of a type of PostgreSQL."""

    table: str
    id_type: str
    columns: tuple[str, ...]
    """Those that are read."""
    largest: int
    """Bytes of a row that is read."""
    claim: str = field(init=False)
    """Take pending rows, at most $1, and fewer where they are large; of one that is too large only its size is told."""
    resume: str = field(init=False)
    """Take up claims that are stale, at most $1."""
    enqueued: str = field(init=False)
    """Write down jobs: ids, claims, queues and ids of jobs, and in how many seconds each is looked at."""
    release: str = field(init=False)
    """Give rows back that have no job: ids, claims, why, and in how many seconds they may be taken again."""
    looked: str = field(init=False)
    """Take rows whose job is to be looked at, at most $1."""
    changed: str = field(init=False)
    """Write down what has become of jobs: ids, claims, statuses, attempts, errors, and seconds until the next look."""
    delete: str = field(init=False)
    """Remove rows: ids, claims."""

    def __post_init__(self) -> None:
        names = {
            "t": f'"{self.table}"', "type": self.id_type, "stale": STALE, "window": WINDOW - MARGIN,
            "bytes": BYTES, "sized": _sized(self.table, self.columns, self.largest), "read": _read(self.columns),
        }  # fmt: skip
        for name, text in _TEXTS.items():
            object.__setattr__(self, name, text.format(**names))


def _sized(table: str, columns: tuple[str, ...], largest: int) -> str:
    """The rows that were taken, each with its bytes, and those of all up to it; too large ones are not read."""
    size = " + ".join(f'coalesce(octet_length(t."{name}"::text), 0)' for name in columns) or "0"
    return f"""sizes AS MATERIALIZED (
            SELECT t.id, ({size})::bigint AS size FROM "{table}" AS t JOIN taken ON t.id = taken.id
        ), sized AS MATERIALIZED (
            SELECT id, size, size <= {largest} AS fits, row_number() OVER () AS number,
                sum(CASE WHEN size <= {largest} THEN size ELSE 0 END) OVER (ROWS UNBOUNDED PRECEDING) AS together
            FROM sizes
        )"""  # noqa: S608  # names of ours


def _read(columns: tuple[str, ...]) -> str:
    """The columns as JSON; of a row that does not fit nothing."""
    pairs = ", ".join(f"'{name}', t.\"{name}\"" for name in columns)
    return f"CASE WHEN sized.fits THEN textsend(jsonb_build_object({pairs})::text) END AS fields"


_TEXTS: Final = {
    "claim": """
        WITH taken AS MATERIALIZED (
            SELECT id FROM {t} WHERE status = 'pending' AND (look_at IS NULL OR look_at < now())
            ORDER BY look_at NULLS FIRST, updated_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
        ), {sized}
        UPDATE {t} AS t SET status = 'processing', claim = gen_random_uuid(), claimed_at = now(), updated_at = now(),
            look_at = now() + interval '{stale} s', job_queue = NULL, job_id = NULL, attempts = 0, error = NULL,
            finished_at = NULL
        FROM sized WHERE t.id = sized.id AND (sized.number = 1 OR sized.together <= {bytes})
        RETURNING t.id::text AS id, t.claim::text AS claim, true AS known, sized.size AS size, {read}""",
    "resume": """
        WITH taken AS MATERIALIZED (
            SELECT id FROM {t} WHERE status IN ('processing', 'error') AND look_at < now() AND job_id IS NULL
                AND claim IS NOT NULL
            ORDER BY look_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ), {sized}
        UPDATE {t} AS t SET look_at = now() + interval '{stale} s', updated_at = now()
        FROM sized WHERE t.id = sized.id AND (sized.number = 1 OR sized.together <= {bytes})
        RETURNING t.id::text AS id, t.claim::text AS claim, t.claimed_at > now() - interval '{window} s' AS known,
            sized.size AS size, {read}""",
    "enqueued": """
        UPDATE {t} AS t SET job_queue = x.queue, job_id = x.job, look_at = now() + make_interval(secs => x.seconds),
            updated_at = now()
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[]) AS x (id, claim, queue, job, seconds)
        WHERE t.id = x.id::{type} AND t.claim = x.claim::uuid AND t.job_id IS NULL""",
    "release": """
        UPDATE {t} AS t SET status = 'pending', claim = NULL, error = x.error, updated_at = now(),
            look_at = now() + make_interval(secs => x.seconds)
        FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[]) AS x (id, claim, error, seconds)
        WHERE t.id = x.id::{type} AND t.claim = x.claim::uuid AND t.job_id IS NULL""",
    "looked": """
        WITH taken AS MATERIALIZED (
            SELECT id FROM {t} WHERE status IN ('processing', 'error') AND look_at < now() AND job_id IS NOT NULL
            ORDER BY look_at LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        UPDATE {t} AS t SET look_at = now() + interval '{stale} s'
        FROM taken WHERE t.id = taken.id
        RETURNING t.id::text AS id, t.claim::text AS claim, t.job_queue AS queue, t.job_id AS job,
            extract(epoch FROM now() - t.claimed_at)::float8 AS age""",
    "changed": """
        UPDATE {t} AS t SET status = x.status, attempts = x.attempts, error = x.error, updated_at = now(),
            look_at = CASE WHEN x.status IN ('processing', 'error') THEN now() + make_interval(secs => x.seconds) END,
            finished_at = CASE WHEN x.status IN ('complete', 'failed') THEN now() END
        FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::float8[])
            AS x (id, claim, status, attempts, error, seconds)
        WHERE t.id = x.id::{type} AND t.claim = x.claim::uuid AND t.status IN ('processing', 'error')""",
    "delete": """
        DELETE FROM {t} AS t USING unnest($1::text[], $2::text[]) AS x (id, claim)
        WHERE t.id = x.id::{type} AND t.claim = x.claim::uuid""",
}  # fmt: skip
"""A row is written to only under the claim that it was taken by: whoever was too late changes nothing."""

COLUMNS: Final = """
    SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
    WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"""

COUNTS: Final = """
    SELECT status, count(*) AS rows, extract(epoch FROM now() - min(created_at))::float8 AS oldest FROM (
        SELECT status, created_at FROM "{t}" WHERE status = 'pending'
        UNION ALL SELECT status, created_at FROM "{t}" WHERE status IN ('processing', 'error')
        UNION ALL SELECT status, created_at FROM "{t}" WHERE status = 'failed'
    ) AS living GROUP BY status"""
"""Each part has an index that has no other rows."""

Send = Callable[[App, Fields, str], Awaitable[Job[Any]]]
"""Makes the job of a row, of its fields and a key. Raises ``Unreadable``, and what ``App.enqueue`` does."""


class Outcome(NamedTuple):
    """What has become of a job: ``complete`` or ``failed``, and why."""

    status: str
    error: str | None = None


Known = Callable[[App, str], Awaitable[Outcome | None]]
"""What is known elsewhere of a job whose record is gone, by its idempotency key. Raises ``Unavailable``."""


async def nothing_known(_app: App, _key: str) -> Outcome | None:
    """Nothing is."""
    return None


@dataclass(frozen=True)
class Table:
    """A table: its name, what makes a job of one of its rows, and whether rows stay and follow their jobs."""

    name: str
    send: Send
    columns: frozenset[str]
    """Those that are read; a table need not have all of them."""
    follows: bool = True
    known: Known = nothing_known
    most: int = 10_000
    """Rows that are taken at once: few, where one may be large."""
