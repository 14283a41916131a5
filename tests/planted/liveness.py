"""Bugs of upkeep, identity and liveness."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "a worker that reconnects is taken for lost",
        "streamq/worker/reclaimer.py",
        "            if name in named:",
        "            if name in set():",
        "tests/promises/test_liveness.py -k reconnected",
    ),
    Fault(
        "connections are known by their ids alone",
        "streamq/worker/reclaimer.py",
        "if alive.get(info.client_id) != name}",
        "if info.client_id not in alive}",
        "tests/promises/test_liveness.py -k anothers",
    ),
    Fault(
        "what was missing before our own reconnection counts",
        "streamq/worker/reclaimer.py",
        "            self._missing.clear()\n            # they reconnect too",
        "            # they reconnect too",
        "tests/promises/test_liveness.py -k missing",
    ),
    Fault(
        "the watcher goes by its own lease",
        "streamq/worker/reclaimer.py",
        "return info.lease if info and info.lease else",
        "return self._store.settings.lease if info else",
        "tests/engine/test_identity.py -k lease",
    ),
    Fault(
        "a stopped process is vouched for",
        "streamq/host.py",
        'frozenset("TtZXx")',
        'frozenset("ZXx")',
        "tests/promises/test_liveness.py -k stopped",
    ),
    Fault(
        "others vouch for ever",
        "streamq/worker/voucher.py",
        "silent.beats != int(float(count))",
        "silent.beats != float(count)",
        "tests/promises/test_liveness.py -k vouched",
    ),
    Fault(
        "a name is claimed over another's",
        "streamq/lua/introduce.lua",
        "if had and not string.find(had, ARGV[2], 1, true) then return had end",
        "",
        "tests/engine/test_identity.py -k second_worker",
    ),
    Fault(
        "a dead worker's name is taken while it has jobs",
        "streamq/worker/identity.py",
        "    await store.roster.forget(info.name, entry=entry)\n",
        "    await store.roster.forget(info.name, entry=entry)\n    raise taken(info.name, entry)\n",
        "tests/engine/test_identity.py -k dead",
    ),
    Fault(
        "every due time wakes everybody",
        "streamq/worker/upkeep.py",
        "Promoter(store, seats.chief,",
        "Promoter(store, queues,",
        "tests/engine/test_upkeep.py -k cost",
    ),
    Fault(
        "a deputy promotes nothing",
        "streamq/worker/upkeep.py",
        "overdue=seats.deputy",
        "overdue=tuple",
        "tests/engine/test_upkeep.py -k moment",
    ),
    Fault(
        "a fault in one queue ends the round of all",
        "streamq/worker/trouble.py",
        "                self.met({queue: error})\n",
        "                raise\n",
        "tests/engine/test_upkeep.py -k wrong_type",
    ),
    Fault(
        "a stop keeps its seat",
        "streamq/worker/seats.py",
        "if held and self._link.connected:",
        "if False:",
        "tests/engine/test_upkeep.py -k one_is_chief",
    ),
    Fault(
        "a thaw is taken for a hang",
        "streamq/worker/heartbeat.py",
        "min(now - self._looked, 2 * WATCH), now",
        "now - self._looked, now",
        "tests/promises/test_liveness.py -k late",
    ),
)
