"""Bugs of unique keys, priorities and requests that come again."""

from __future__ import annotations

from .fault import Fault

_MODEL = "tests/lua/test_model.py"
_ONCE = "tests/service/test_idempotency.py"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "unique: a job that is gone keeps its key",
        "streamq/redis/lua/parts/holder_of_key.lua",
        "    leave_key(key, id)\n  end",
        "    return id, taken, rest, true\n  end",
        _MODEL,
    ),
    Fault(
        "unique: who follows a job that is gone is forgotten",
        "streamq/redis/lua/parts/holder_of_key.lua",
        "    leave_key(key, id)\n  end",
        "    redis.call('HDEL', keys.unique, key)\n  end",
        _MODEL,
    ),
    Fault(
        "unique: the first of those that follow starts, and the others are forgotten",
        "streamq/redis/lua/parts/leave_key.lua",
        "      stand(key, following, taken, others)",
        "      stand(key, following, taken)",
        _MODEL,
    ),
    Fault(
        "unique: one that follows and is cancelled stays in the line",
        "streamq/redis/lua/parts/leave_key.lua",
        "    if from then stand(",
        "    if false then stand(",
        _MODEL,
    ),
    Fault(
        "unique: who follows lies in two places",
        "streamq/redis/lua/parts/leave_key.lua",
        "      redis.call('HDEL', keys.parked, following)",
        "",
        _MODEL,
    ),
    Fault(
        "unique: one that follows and was delayed starts at once",
        "streamq/redis/lua/parts/leave_key.lua",
        "if due and due > now then",
        "if false then",
        _MODEL,
    ),
    Fault(
        "admit: a key is taken by jobs of several terms in one call",
        "streamq/redis/lua/admit.lua",
        "  if #standings > 0 then write() end",
        "",
        "tests/engine/test_unique.py",
    ),
    Fault(
        "unique: any job of a key frees it",
        "streamq/redis/lua/parts/leave_keys.lua",
        "if standing == ids[i] .. ' done' or",
        "if standing or",
        _MODEL,
    ),
    Fault(
        "reclaim: a job that crashed too often keeps its key",
        "streamq/redis/lua/reclaim.lua",
        "    if key then leave_key(key, id) end",
        "",
        "tests/engine/test_unique.py",
    ),
    Fault(
        "settle: the keys of those that ended are left under the ids of others",
        "streamq/redis/lua/settle.lua",
        "key_of[id] = ARGV[beyond + i - 1] end",
        "key_of[id] = ARGV[beyond + n - i] end",
        "tests/engine/test_unique.py::test_each_of_many_that_end_at_once_gives_up_its_own_key",
    ),
    Fault(
        "requeue: a key is taken that another job has",
        "streamq/redis/lua/parts/take_key_again.lua",
        "if other then return key, other end",
        "",
        _MODEL,
    ),
    Fault(
        "admit: of two of one key in a batch both are made",
        "streamq/redis/lua/admit.lua",
        "if standing[n] or known[key] then",
        "if standing[n] then",
        "tests/engine/test_unique.py",
    ),
    Fault(
        "admit: the jobs of a paused task are not held",
        "streamq/redis/lua/admit.lua",
        "if steered and is_paused('task:' .. task) then",
        "if false then",
        _MODEL,
    ),
    Fault(
        "admit: one that runs is replaced",
        "streamq/redis/lua/parts/unique.lua",
        "or active and group.conflict == 'replace' then",
        "then",
        _MODEL,
    ),
    Fault(
        "admit: a replaced suspect leaves the lane of suspects",
        "streamq/redis/lua/parts/unique.lua",
        "wait(id, task, payload, kept, number == lane.alone and number or nil)",
        "wait(id, task, payload, kept)",
        _MODEL,
    ),
    Fault(
        "admit: ids of a priority are those of the server",
        "streamq/redis/lua/admit.lua",
        "  if not born[number] then",
        "  if false then",
        "tests/engine/test_priorities.py",
    ),
    Fault(
        "promote: every job goes to the lane of normal ones",
        "streamq/redis/lua/parts/lane_of.lua",
        "return member and lane.of[",
        "return member and false and lane.of[",
        _MODEL,
    ),
    Fault(
        "windows: one that has ended stays",
        "streamq/redis/lua/prune_windows.lua",
        "if ends and ends <= now then redis.call('HDEL', keys.unique, key) end",
        "",
        _MODEL,
    ),
    Fault(
        "purge: one that follows another in a page lives on without its key",
        "streamq/redis/lua/purge.lua",
        "  each('HDEL', keys.parked, ids) -- before their keys are left, as one may follow another\n",
        "",
        "tests/engine/test_unique.py",
    ),
    Fault(
        "doctor: held jobs that nothing holds are not found",
        "streamq/redis/lua/compare_held.lua",
        "    if not is_held(id, task, headers) then",
        "    if false then",
        "tests/engine/test_unique.py",
    ),
    Fault(
        "once: two at a time",
        "streamq/redis/lua/claim_request.lua",
        "if token and token ~= args.token and left > 0 then",
        "if false then",
        _ONCE,
    ),
    Fault(
        "once: another body gets the answer of the first",
        "streamq/redis/lua/claim_request.lua",
        "if fingerprint and fingerprint ~= args.fingerprint then",
        "if false then",
        _ONCE,
    ),
    Fault(
        "once: a job for each try",
        "streamq/store/requests.py",
        "[Batch(producer, 1, [job], generation, asks)]",
        "[Batch(producer._replace(record=producer.record + job.task, keys=producer.script.on(self._access.keys(queue), "
        "producer=producer.record + __import__('secrets').token_hex(4))), 1, [job], generation, asks)]",
        _ONCE,
    ),
    Fault(
        "once: the key of one caller is that of all",
        "streamq/once.py",
        "(caller.hex().encode(), key.encode(",
        '(b"", key.encode(',
        _ONCE,
    ),
    Fault(
        "once: a claim is not renewed",
        "streamq/once.py",
        "await self._client.store.requests.claim(self._queue, self._name, fingerprint, self._token)",
        "pass",
        _ONCE,
    ),
)
