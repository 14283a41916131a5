"""Bugs of upkeep, identity and liveness."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "a worker that reconnects is taken for lost",
        "streamq/duties/lost.py",
        "back = [(server, name) for server, name in ripe if name in named[server]]",
        "back = list[tuple[Server, str]]()",
        "tests/promises/test_liveness.py::test_a_worker_that_has_reconnected_is_not_lost",
    ),
    Fault(
        "connections are known by their ids alone",
        "streamq/store/workers.py",
        "if alive.get(number) != name}",
        "if number not in alive}",
        "tests/promises/test_liveness.py::test_a_worker_is_lost_when_its_connection_is_anothers_by_now",
    ),
    Fault(
        "what was missing before our own reconnection counts",
        "streamq/duties/lost.py",
        "            self._missing.clear()\n            # they reconnect too",
        "            # they reconnect too",
        "tests/promises/test_liveness.py::"
        "test_what_was_missing_before_our_own_connection_was_cut_is_looked_at_anew",
    ),
    Fault(
        "the watcher goes by its own lease",
        "streamq/duties/lost.py",
        "return info.lease if info and info.lease else",
        "return self._store.settings.lease if info else",
        "tests/engine/test_identity.py::test_a_worker_lives_by_the_lease_it_says_not_by_that_of_who_watches",
    ),
    Fault(
        "a stopped process is vouched for",
        "streamq/liveness/host.py",
        'frozenset("TtZXx")',
        'frozenset("ZXx")',
        "tests/promises/test_liveness.py::"
        "test_a_stopped_process_is_not_vouched_for_and_its_jobs_are_back_within_its_lease_and_five_seconds",
    ),
    Fault(
        "others vouch for ever",
        "streamq/duties/voucher.py",
        "silent.beats != int(float(count))",
        "silent.beats != float(count)",
        "tests/promises/test_liveness.py::"
        "test_a_running_process_is_vouched_for_until_its_own_silence_has_lasted_for_as_long_as_it_allows",
    ),
    Fault(
        "a name is claimed over another's",
        "streamq/redis/lua/introduce.lua",
        "if had and not string.find(had, args.own, 1, true) then return had end",
        "",
        "tests/engine/test_identity.py::test_a_second_worker_of_a_name_is_refused_before_it_fetches_a_job",
    ),
    Fault(
        "a dead worker's name is taken while it has jobs",
        "streamq/liveness/identity.py",
        "    await store.workers.forget(info.name, entry=entry)\n",
        "    await store.workers.forget(info.name, entry=entry)\n    raise taken(info.name, entry)\n",
        "tests/engine/test_identity.py::"
        "test_a_name_that_a_dead_worker_left_is_taken_over_and_its_jobs_start_again",
    ),
    Fault(
        "every due time wakes everybody",
        "streamq/duties/upkeep.py",
        "p.store, p.seats.chief, overdue=p.seats.deputy, deaf_poll",
        "p.store, p.queues, overdue=p.seats.deputy, deaf_poll",
        "tests/engine/test_upkeep.py::"
        "test_the_cost_of_upkeep_does_not_grow_with_the_number_of_those_who_take_part",
    ),
    Fault(
        "a deputy promotes nothing",
        "streamq/duties/upkeep.py",
        "overdue=p.seats.deputy, deaf_poll",
        "overdue=tuple, deaf_poll",
        "tests/engine/test_upkeep.py::test_a_job_is_at_most_a_moment_late_while_the_chief_is_blocked",
    ),
    Fault(
        "a fault in one queue ends the round of all",
        "streamq/redis/troubles.py",
        "                failed[queue] = error\n                if concerns",
        "                raise\n                if concerns",
        "tests/engine/test_upkeep.py::test_a_key_of_the_wrong_type_stops_the_upkeep_of_its_queue_alone",
    ),
    Fault(
        "who stands by lets a long claim of lost holders be",
        "streamq/redis/lua/claim.lua",
        "redis.call('PEXPIRE', keys.seats[number], args.lasts)",
        "redis.call('PTTL', keys.seats[number])",
        "tests/engine/test_seats.py -k takes_over",
    ),
    Fault(
        "that beats can be read ends the trouble of a recovery",
        "streamq/duties/reclaimer.py",
        'self._troubles = Troubles("recover the jobs of lost workers on", log)',
        "self._troubles = self.watch._troubles",
        "tests/engine/test_upkeep.py -k told_of_once",
    ),
    Fault(
        "a stop keeps its seat",
        "streamq/duties/seats.py",
        "if held and self._links.generation:",
        "if False:",
        "tests/engine/test_upkeep.py::"
        "test_one_is_chief_one_is_deputy_and_the_others_stand_by_until_a_seat_is_free",
    ),
    Fault(
        "a thaw is taken for a hang",
        "streamq/worker/heartbeat.py",
        "min(now - self._looked, 2 * WATCH), now",
        "now - self._looked, now",
        "tests/promises/test_liveness.py::"
        "test_a_look_at_the_loop_that_comes_late_counts_for_one_interval_only",
    ),
    Fault(
        "a worker that beats again meanwhile is reclaimed",
        "streamq/liveness/recovery.py",
        "done = await store.recovery.reclaim(links, queue, worker, beats)",
        "done = await store.recovery.reclaim(links, queue, worker, None)",
        "tests/promises/test_housekeeping.py::"
        "test_the_reclaimer_takes_nothing_from_a_worker_that_has_beaten_since_it_looked",
    ),
    Fault(
        "what vanished from the clients is lost without a grace",
        "streamq/duties/lost.py",
        "if now - since >= GRACE]",
        "if now - since >= 0]",
        "tests/promises/test_liveness.py::test_a_worker_whose_connection_is_gone_is_lost_after_the_grace",
    ),
    Fault(
        "without the right to list clients nobody is found",
        "streamq/duties/lost.py",
        "if seen.unchanged >= self._lease(worker) and worker != self._own:",
        "if seen.unchanged >= 1e9:",
        "tests/promises/test_housekeeping.py::"
        "test_without_the_right_to_list_clients_the_lease_alone_finds_the_lost",
    ),
    Fault(
        "jobs of a worker on no list are taken at the first audit",
        "streamq/duties/auditor.py",
        "for worker in sorted(now & before):",
        "for worker in sorted(now):",
        "tests/promises/test_housekeeping.py::"
        "test_jobs_of_a_worker_that_is_on_no_list_are_recovered_at_the_second_audit",
    ),
    Fault(
        "jobs of a worker on no list are never taken",
        "streamq/duties/auditor.py",
        "self._unlisted[queue] = now - before",
        "self._unlisted[queue] = set()",
        "tests/promises/test_housekeeping.py::"
        "test_jobs_of_a_worker_that_is_on_no_list_are_recovered_at_the_second_audit",
    ),
    Fault(
        "an earlier due time wakes no promoter",
        "streamq/duties/promoter.py",
        "            self._heard.add(queue)\n            self._woken.set()\n",
        "            self._heard.add(queue)\n",
        "tests/engine/test_delays.py::test_a_promoter_that_rests_is_woken_by_an_earlier_job",
    ),
    Fault(
        "more due jobs than one call takes wait for the next look",
        "streamq/duties/promoter.py",
        "                if reply.wait == 0:\n",
        "                if False:\n",
        "tests/engine/test_delays.py::test_two_promoters_at_once_promote_each_job_once",
    ),
    Fault(
        "where claims are refused nobody does the upkeep",
        "streamq/duties/seats.py",
        "            self._held[queue] = self._seats[0]\n",
        "            self._held[queue] = 0\n",
        "tests/engine/test_upkeep.py::test_where_claims_are_refused_everybody_does_the_upkeep",
    ),
    Fault(
        "a worker looks after all of its host",
        "streamq/duties/voucher.py",
        "[:LOOKED_AFTER]",
        "",
        "tests/promises/test_liveness.py::"
        "test_a_worker_looks_after_three_of_its_host_and_three_look_after_it",
    ),
    Fault(
        "a call that takes too long in one queue keeps the others waiting",
        "streamq/redis/troubles.py",
        "self._first = queues[(queues.index(queue) + 1) % len(queues)]",
        "pass",
        "tests/engine/test_upkeep.py::"
        "test_a_queue_in_which_a_call_takes_too_long_keeps_the_others_waiting_for_one_turn_at_most",
    ),
    Fault(
        "a worker that was forgotten does not introduce itself",
        "streamq/worker/heartbeat.py",
        "if introduce or is_strange or to_tell",
        "if introduce or to_tell",
        "tests/engine/test_identity.py::"
        "test_a_worker_introduces_itself_and_its_queues_again_after_everything_was_deleted",
    ),
    Fault(
        "a name of a living worker is taken over",
        "streamq/liveness/identity.py",
        "        return name not in await store.workers.client_names(links)\n",
        "        return True\n",
        "tests/engine/test_identity.py::test_a_second_worker_of_a_name_is_refused_before_it_fetches_a_job",
    ),
)
