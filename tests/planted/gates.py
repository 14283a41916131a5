"""Bugs of the gate, before which jobs of groups wait."""

from __future__ import annotations

from .fault import Fault

MODEL = (
    "tests/promises/test_gatehouse.py"
    "::test_after_any_interleaving_the_gate_counts_what_is_past_it_and_nobody_waits_for_an_open_one"
)
SHARED = (
    "tests/promises/test_shared_limits.py"
    "::test_no_window_has_more_starts_and_no_moment_more_jobs_than_a_shared_limit_allows"
)

FAULTS: tuple[Fault, ...] = (
    Fault(
        "gate: who waits without a group holds up others when their task gets a limit",
        "streamq/redis/lua/gate.lua",
        "  if group == '*' and limit_of('task:' .. task) then",
        "  if false then",
        "tests/engine/test_limits.py -k wait_for_their_task_alone",
    ),
    Fault(
        "shared limits: a job that costs too much holds up its group",
        "streamq/redis/lua/gate.lua",
        "    if costly_scope then",
        "    if false then",
        "tests/engine/test_shared.py -k makes_way",
    ),
    Fault(
        "gate: a job that is twice in lines is let through twice",
        "streamq/redis/lua/gate.lua",
        "  envelopes[id] = false --",
        "  --",
        MODEL,
    ),
    Fault(
        "gate: one job more than a limit allows",
        "streamq/redis/lua/parts/closed.lua",
        "used_of(scope) >= limit.jobs",
        "used_of(scope) > limit.jobs",
        MODEL,
    ),
    Fault(
        "gate: who leaves it calls nobody",
        "streamq/redis/lua/parts/leave_now.lua",
        "turn_each(groups) end -- else none of them is closed\n  if has_waits",
        "end\n  if has_waits",
        MODEL,
    ),
    Fault(
        "gate: one that comes back is the last of its group",
        "streamq/redis/lua/parts/line_up.lua",
        "  if not first then\n    redis",
        "  if true then\n    redis",
        MODEL,
    ),
    Fault(
        "gate: a job that is cancelled before anybody has it keeps its slot",
        "streamq/redis/lua/cancel.lua",
        "    leave_gate({ id })\n  end\n  return ended",
        "  end\n  return ended",
        MODEL,
    ),
    Fault(
        "gate: a held job stays in the line of its priority before",
        "streamq/redis/lua/parts/move_line.lua",
        "  if was and from then out_of_line(from) end",
        "  if false then out_of_line(from) end",
        MODEL,
    ),
    Fault(
        "gate: one start more than a rate allows",
        "streamq/redis/lua/parts/opens_at.lua",
        "keys.starts .. scope, -limit.starts)",
        "keys.starts .. scope, -limit.starts - 1)",
        MODEL,
    ),
    Fault(
        "gate: a strict job that fails lets others pass",
        "streamq/redis/lua/settle.lua",
        "keep[id] = group and is_strict(group)",
        "keep[id] = group and false",
        "tests/engine/test_turns_of_groups.py"
        "::test_none_of_a_group_of_one_at_a_time_passes_another_that_comes_back_unless_it_may",
    ),
    Fault(
        "shared limits: what is leased counts from when it was leased",
        "streamq/redis/lua/shared_lease.lua",
        "redis.call('ZADD', leased, ends, number .. ':' .. start)",
        "redis.call('ZADD', leased, now, number .. ':' .. start)",
        "tests/promises/test_shared_limits.py"
        "::test_what_was_started_late_of_a_lease_that_is_lost_counts_from_its_end",
    ),
    Fault(
        "shared limits: what was started is not counted",
        "streamq/redis/lua/shared_lease.lua",
        "  count(spent - units)",
        "  count(-units)",
        SHARED,
    ),
    Fault(
        "shared limits: a job gives back one unit, whatever it drew",
        "streamq/redis/lua/parts/leave_now.lua",
        "- units * count end",
        "- count end",
        SHARED,
    ),
    Fault(
        "shared limits: between two leases more jobs start",
        "streamq/redis/lua/lease_take.lua",
        "math.min(tonumber(hold), used)",
        "tonumber(hold)",
        "tests/promises/test_shared_limits.py"
        "::test_between_what_is_taken_back_and_what_is_granted_no_more_jobs_start",
    ),
)
