"""The bugs: what stands in the code, what is planted in its place, and which tests must notice."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """``sound`` stands exactly once in ``file``; ``tests`` are words for pytest."""

    name: str
    file: str
    sound: str
    planted: str
    tests: str


VALUES: tuple[Fault, ...] = (
    Fault(
        "what would arrive as something else is accepted", "streamq/values.py",
        "        if not _equal(value, back):\n            told = list(", "        if False:\n            told = list(",
        "tests/engine/test_values.py",
    ),
    Fault(
        "instances of subclasses are not noticed", "streamq/values.py",
        "return any(cls.__subclasses__() for cls in self._classes)", "return False", "tests/engine/test_values.py",
    ),
    Fault(
        "null for NaN is not noticed", "streamq/values.py", "self._floats and b\"null\" in raw", "False",
        "tests/engine/test_values.py",
    ),
    Fault(
        "computed fields are written", "streamq/values.py", "round_trip=True, ", "", "tests/engine/test_values.py",
    ),
    Fault(
        "secrets may be declared", "streamq/shapes.py", "if _masks(_writer(node)):", "if False:",
        "tests/engine/test_values.py",
    ),
    Fault(
        "excluded fields may be declared", "streamq/shapes.py", "if node.get(\"serialization_exclude\"):", "if False:",
        "tests/engine/test_values.py",
    ),
    Fault(
        "long numbers of untyped payloads are read as floats", "streamq/values.py", "return from_json(raw)",
        "return _loads(raw)", "tests/engine/test_values.py",
    ),
    Fault(
        "each untyped payload keeps its buffer", "streamq/codec.py",
        "return b\"%b\" % orjson.dumps(value, option=_STRICT)", "return orjson.dumps(value, option=_STRICT)",
        "tests/engine/test_values.py",
    ),
    Fault(
        "an infinite time limit is sent", "streamq/options.py", "_number(value) and 0 < value <= LONGEST_WAIT",
        "_number(value) and value > 0", "tests/engine/test_options.py",
    ),
    Fault(
        "a lone surrogate names a task", "streamq/options.py", "\"\" if fits and _encodable(value) else",
        "\"\" if fits else", "tests/engine/test_options.py",
    ),
    Fault(
        "a coroutine that is handed on is not awaited", "streamq/worker/runner.py", "if isawaitable(result):",
        "if False:",
        "tests/engine/test_handlers.py",
    ),
    Fault(
        "generators may be handlers", "streamq/handlers.py",
        "if inspect.isgeneratorfunction(called) or", "if False and",
        "tests/engine/test_handlers.py",
    ),
    Fault(
        "results have no limit", "streamq/task.py", "limit = self.app.settings.max_result", "limit = 10**9",
        "tests/engine/test_result_types.py",
    ),
    Fault(
        "results are read without their type", "streamq/task.py", "return self._result.read(raw or b\"null\")",
        "return codec.exact(raw or b\"null\")", "tests/engine/test_result_types.py",
    ),
    Fault(
        "HTTP rounds long numbers", "service/requests.py", "from_json(body) if _LONG.search(body) else value", "value",
        "tests/service/test_values.py",
    ),
)  # fmt: skip
"""What arrives as something else, and what is accepted that cannot run."""

SCRIPTS: tuple[Fault, ...] = (
    Fault(
        "promote: the id of a parked job is lost",
        "streamq/lua/promote.lua",
        "add(KEYS[1], task, payload, kept)",
        "add(KEYS[1], task, payload, headers)",
        "tests/lua/test_foreign.py",
    ),
    Fault(
        "promote: a pointer to a job without an id",
        "streamq/lua/promote.lua",
        "if named_id then",
        "if true then",
        "tests/lua/test_foreign.py",
    ),
    Fault(
        "promote: no budget of bytes",
        "streamq/lua/promote.lua",
        "until bytes >= BUDGET or from",
        "until from",
        "tests/lua/test_script_bounds.py",
    ),
    Fault(
        "promote: half done where a key is of another type",
        "streamq/lua/promote.lua",
        "expect('HLEN', KEYS[2], KEYS[4])",
        "",
        "tests/lua/test_wrong_types.py",
    ),
    Fault(
        "headers: an id of any length counts in Lua",
        "streamq/lua/_headers.lua",
        "return id and is_id(id) and id or nil",
        "return id",
        "tests/lua/test_headers.py -k redis",
    ),
    Fault(
        "headers: two ids in one object",
        "streamq/lua/_headers.lua",
        "if member.name ~= 'id' and not drop[",
        "if not drop[",
        "tests/lua/test_headers.py -k redis",
    ),
    Fault(
        "headers: an escaped quote ends a string",
        "streamq/lua/_headers.lua",
        "until (at - back) % 2 == 0",
        "until true",
        "tests/lua/test_headers.py -k redis",
    ),
    Fault(
        "headers: the first of two members counts",
        "streamq/lua/_headers.lua",
        "for i = #list, 1, -1 do",
        "for i = 1, #list do",
        "tests/lua/test_headers.py -k redis",
    ),
    Fault(
        "headers: text after the object is ignored",
        "streamq/lua/_headers.lua",
        "return mark and at == #headers + 1 and list",
        "return mark and list",
        "tests/lua/test_headers.py -k redis",
    ),
    Fault(
        "headers: Python decodes escaped names",
        "streamq/envelope.py",
        'if b"\\\\" not in raw:',
        "if True:",
        "tests/lua/test_headers.py -k redis",
    ),
    Fault(
        "headers: Python drops what others wrote",
        "streamq/envelope.py",
        'foreign = ours.pop("foreign", b"")',
        'foreign = ours.pop("foreign") and b""',
        "tests/lua/test_headers.py -k redis",
    ),
    Fault(
        "audit: entries beyond the page of pending ones are stranded",
        "streamq/lua/audit.lua",
        "(not pending and all_held or",
        "(not pending or",
        "tests/promises/test_housekeeping.py -k redis",
    ),
    Fault(
        "audit: pending ones beyond the page of entries are ghosts",
        "streamq/lua/audit.lua",
        "(not entry and all_there or",
        "(not entry or",
        "tests/lua/test_script_bounds.py",
    ),
    Fault(
        "audit: ids are compared as text",
        "streamq/lua/audit.lua",
        "#a_ms < #b_ms or #a_ms == #b_ms and a_ms < b_ms",
        "a_ms < b_ms",
        "tests/promises/test_housekeeping.py -k redis",
    ),
    Fault(
        "enqueue: a producer record of another shape raises",
        "streamq/lua/enqueue.lua",
        "if last and tonumber(last)",
        "if tonumber(last)",
        "tests/lua/test_foreign.py",
    ),
    Fault(
        "locate: a pointer to no id raises",
        "streamq/lua/_prelude.lua",
        "if lane and is_id(entry) then",
        "if lane then",
        "tests/engine/test_odd_views.py",
    ),
    Fault(
        "prune: what is still to come is pruned or stands in the way",
        "streamq/lua/prune.lua",
        "elseif ago < 0 then",
        "elseif false then",
        "tests/lua/test_script_bounds.py",
    ),
    Fault(
        "prune: a negative age is not read",
        "streamq/lua/prune.lua",
        "'^%a(%-?%d+)'",
        "'^%a(%d+)'",
        "tests/lua/test_script_bounds.py",
    ),
    Fault(
        "release: no budget of bytes",
        "streamq/lua/release.lua",
        "while bytes < BUDGET and",
        "while",
        "tests/lua/test_script_bounds.py",
    ),
    Fault(
        "reclaim: no budget of bytes",
        "streamq/lua/reclaim.lua",
        "if bytes >= BUDGET then break end",
        "",
        "tests/lua/test_script_bounds.py",
    ),
    Fault(
        "fetch: none asked for, all delivered",
        "streamq/lua/fetch.lua",
        "if n < 1 then return { 1, {} } end",
        "",
        "tests/lua/test_script_bounds.py",
    ),
    Fault(
        "settle: all at once when less is kept",
        "streamq/lua/_prelude.lua",
        "#ids + 1000)",
        "1e9)",
        "tests/lua/test_script_bounds.py",
    ),
    Fault(
        "settle: half done where a key is of another type",
        "streamq/lua/settle.lua",
        "redis.call('HLEN', KEYS[6])",
        "",
        "tests/lua/test_wrong_types.py",
    ),
    Fault(
        "requeue: an id of another shape",
        "streamq/lua/requeue.lua",
        "is_id(ARGV[1]) and ",
        "",
        "tests/lua/test_foreign.py",
    ),
    Fault(
        "views: a time out of every calendar spoils a page",
        "streamq/views.py",
        "except (ValueError, OverflowError, OSError):",
        "except ZeroDivisionError:",
        "tests/engine/test_odd_views.py",
    ),
    Fault(
        "store: outcomes of any size in one call",
        "streamq/store.py",
        "or size + len(settlement.body) > SETTLED_BYTES",
        "",
        "tests/lua/test_script_bounds.py",
    ),
)
"""What a script does to its keys, and how much it touches."""

FAULTS: tuple[Fault, ...] = (*VALUES, *SCRIPTS)
