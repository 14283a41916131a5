"""The scripts, run by EVALSHA; a server that lost one is sent it again. (``script_text`` makes their texts.)"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from streamq.errors import StreamqError
from streamq.model.keys import Keys
from streamq.redis.answers import NoScript, translate
from streamq.redis.link import Link
from streamq.redis.links import Links
from streamq.redis.script_text import ScriptText

Named = tuple[str, ...]
"""The keys of one call, in the order of its script."""


class Script:
    """One script of ``lua/``. A call is given the keys of its queue, of which the script takes what its head names."""

    __slots__ = ("_keys", "_name", "_sha", "_text")

    def __init__(self, name: str) -> None:
        made = ScriptText(name)
        self._name, self._keys, self._text = name, made.keys, made.text.encode()
        self._sha = hashlib.sha1(self._text, usedforsecurity=False).hexdigest().encode()

    def on(self, keys: Keys | None = None, **own: str | Sequence[str]) -> Named:
        """The keys of a call to a script that also has keys of its ``own``: each a key, or a list of them."""
        named: list[str] = []
        for name in self._keys:
            found = own[name.strip(".")] if name.strip(".") in own else getattr(keys, name)
            if isinstance(found, str):
                named.append(found)
            else:
                named += found
        return tuple(named)

    def _of(self, keys: Keys) -> Named:
        """The keys of a call to a script that has none of its own."""
        named = keys.by_script.get(self._name)
        if named is None:
            named = keys.by_script[self._name] = self.on(keys)
        return named

    def command(self, keys: Keys | Named, arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The EVALSHA of a call, for sending several at once."""
        named = keys if isinstance(keys, tuple) else self._of(keys)
        return (b"EVALSHA", self._sha, len(named), *named, *arguments)

    def in_full(self, keys: Keys | Named, arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The EVAL of a call, for one that is too rare or too short to need its hash."""
        named = keys if isinstance(keys, tuple) else self._of(keys)
        return (b"EVAL", self._text, len(named), *named, *arguments)

    async def run(self, link: Link, keys: Keys | Named, *arguments: Any) -> Any:
        """Call the script and return its raw reply."""
        return await self.answer(link, (await link.batch(self.command(keys, arguments)))[0], keys, arguments)

    async def run_each(self, link: Link, calls: Sequence[tuple[Keys | Named, Sequence[Any]]]) -> list[Any]:
        """Several calls (keys and arguments) in one round trip, each one's error in the place of its reply.

        Raises only when the server cannot be reached: what is wrong with one call's keys stops no other.
        """
        answers: list[Any] = []
        replies = await link.batch(*[self.command(*call) for call in calls])
        for reply, call in zip(replies, calls, strict=True):
            try:
                answers.append(await self.answer(link, reply, *call))
            except StreamqError as error:
                answers.append(error)
        return answers

    async def run_over(
        self, links: Links, queues: Sequence[str], calls: Sequence[tuple[Keys | Named, Sequence[Any]]]
    ) -> list[Any]:
        """One call for each queue, in one pipeline per server. Errors are as ``Links.pipeline`` has them."""
        return await links.pipeline(
            queues, lambda link, places: self.run_each(link, [calls[place] for place in places])
        )

    async def answer(self, link: Link, reply: Any, keys: Keys | Named, arguments: Sequence[Any]) -> Any:
        """What a sent ``command`` came to: its reply, or the call repeated in full when the script was unknown."""
        if not isinstance(reply, Exception):
            return reply
        error = translate(reply, sent=True)
        if isinstance(error, NoScript):
            (reply,) = await link.batch(self.in_full(keys, arguments))
            if not isinstance(reply, Exception):
                return reply
            error = translate(reply, sent=True)
        raise await link.explained(error, keys if isinstance(keys, tuple) else self._of(keys)) from reply


ENQUEUE: Final = Script("enqueue")
ADMIT: Final = Script("admit")
BEGIN: Final = Script("begin")
FETCH: Final = Script("fetch")
GATE: Final = Script("gate")
LIMIT: Final = Script("limit")
WAKE: Final = Script("wake")
GROUP_PAUSE: Final = Script("group_pause")
GROUP_RESUME: Final = Script("group_resume")
GROUP_STATUS: Final = Script("group_status")
SHARED_LIMIT: Final = Script("shared_limit")
SHARED_PAUSE: Final = Script("shared_pause")
SHARED_STATUS: Final = Script("shared_status")
SHARED_LEASE: Final = Script("shared_lease")
LEASE_TAKE: Final = Script("lease_take")
LEASE_GRANT: Final = Script("lease_grant")
CLAIM_SUSPECT: Final = Script("claim_suspect")
SETTLE: Final = Script("settle")
PROMOTE: Final = Script("promote")
RECLAIM: Final = Script("reclaim")
RELEASE: Final = Script("release")
REQUEUE: Final = Script("requeue")
CLONE: Final = Script("clone")
CANCEL: Final = Script("cancel")
CHANGE: Final = Script("change")
REMOVE: Final = Script("remove")
LOCATE: Final = Script("locate")
LOOK: Final = Script("look")
WHY: Final = Script("why")
COUNT: Final = Script("count")
COUNT_GROUPS: Final = Script("count_groups")
AUDIT: Final = Script("audit")
POSTPONE: Final = Script("postpone")
PASS_ON: Final = Script("pass_on")
PRUNE: Final = Script("prune")
PRUNE_ENDED: Final = Script("prune_ended")
CLAIM_REQUEST: Final = Script("claim_request")
ANSWER_REQUEST: Final = Script("answer_request")
PRUNE_WINDOWS: Final = Script("prune_windows")
COMPARE_KEYS: Final = Script("compare_keys")
COMPARE_HELD: Final = Script("compare_held")
COMPARE_PASSED: Final = Script("compare_passed")
COMPARE_SLOTS: Final = Script("compare_slots")
COMPARE_LINES: Final = Script("compare_lines")
COMPARE_GATE: Final = Script("compare_gate")
MEND_USED: Final = Script("mend_used")
ADOPT: Final = Script("adopt")
SORT_FAILURES: Final = Script("sort_failures")
WALK: Final = Script("walk")
SCAN_LANE: Final = Script("scan_lane")
SCAN_HELD: Final = Script("scan_held")
READ_JOBS: Final = Script("read_jobs")
BACK: Final = Script("back")
JOIN: Final = Script("join")
NOTE: Final = Script("note")
PARTITION_CHANGE: Final = Script("partition_change")
PLACING: Final = Script("placing")
TENANTS: Final = Script("tenants")
LEAVE_HOME: Final = Script("leave_home")
BEAT: Final = Script("beat")
CLAIM: Final = Script("claim")
VACATE: Final = Script("vacate")
VOUCH: Final = Script("vouch")
ATTEND: Final = Script("attend")
ASK: Final = Script("ask")
INTRODUCE: Final = Script("introduce")
FORGET: Final = Script("forget")
TOLD: Final = Script("told")
TELL: Final = Script("tell")
REPORT: Final = Script("report")
PRUNE_REPORTS: Final = Script("prune_reports")
PRUNE_RESULTS: Final = Script("prune_results")
STATES: Final = Script("states")
PAUSE: Final = Script("pause")
RESUME: Final = Script("resume")
PURGE: Final = Script("purge")
TRAIL: Final = Script("trail")
RETAIN: Final = Script("retain")
TIDY: Final = Script("tidy")
QUEUE_REMOVE: Final = Script("queue_remove")
RECORDS_GET: Final = Script("records_get")
RECORDS_PUT: Final = Script("records_put")
RECORDS_DELETE: Final = Script("records_delete")
RECORDS_COUNT: Final = Script("records_count")
RECORDS_LIST: Final = Script("records_list")
TALLY: Final = Script("tally")
SLOW: Final = Script("slow")
BULK: Final = Script("bulk")
OPERATE: Final = Script("operate")
RIGHTS: Final = Script("rights")
TICK: Final = Script("tick")
SCHEDULE_CLAIM: Final = Script("schedule_claim")
SCHEDULE_PUT: Final = Script("schedule_put")
SCHEDULE_PAUSE: Final = Script("schedule_pause")
SCHEDULE_REMOVE: Final = Script("schedule_remove")
IMPORT_TAKE: Final = Script("import_take")
MIGRATE_BEGIN: Final = Script("migrate_begin")
MIGRATE_LEAVE: Final = Script("migrate_leave")
MIGRATE_AWAIT: Final = Script("migrate_await")
MIGRATE_LAND: Final = Script("migrate_land")
MIGRATE_SHIFT: Final = Script("migrate_shift")
MIGRATE_OPEN: Final = Script("migrate_open")
MIGRATE_CLEAR: Final = Script("migrate_clear")
