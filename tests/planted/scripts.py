"""Bugs of scripts, signals and cursors."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "settle: one due time for all of a batch that is refused in part",
        "streamq/redis/lua/settle.lua",
        "due[#due + 1] = ARGV[dues + i - 1] end",
        "due[#due + 1] = ARGV[dues] end",
        "tests/lua/test_settle.py::test_one_refused_retry_leaves_the_others_their_own_due_times",
    ),
    Fault(
        "walk: an id that another begins with stands nowhere",
        "streamq/redis/lua/walk.lua",
        "return #a < #b",
        "return false",
        "tests/engine/test_walks.py::test_of_jobs_of_one_moment_an_id_may_begin_another",
    ),
    Fault(
        "promote: the id of a parked job is lost",
        "streamq/redis/lua/promote.lua",
        "add_to(to, task, payload, kept)",
        "add_to(to, task, payload, headers)",
        "tests/lua/test_foreign.py::"
        "test_500_random_faults_in_the_keys_of_a_queue_stop_no_script_and_no_neighbour",
    ),
    Fault(
        "promote: a pointer to a job without an id",
        "streamq/redis/lua/promote.lua",
        "if named_id and not group then",
        "if not group then",
        "tests/lua/test_foreign.py::"
        "test_500_random_faults_in_the_keys_of_a_queue_stop_no_script_and_no_neighbour",
    ),
    Fault(
        "promote: no budget of bytes",
        "streamq/redis/lua/promote.lua",
        "while looked < #due and bytes < BUDGET do",
        "while looked < #due do BUDGET = 1e12",
        "tests/lua/test_script_bounds.py::test_promote_takes_no_more_than_its_budget_of_bytes",
    ),
    Fault(
        "promote: half done where a key is of another type",
        "streamq/redis/lua/promote.lua",
        "expects: lanes parked moved",
        "expects: lanes parked",
        "tests/lua/test_wrong_types.py::test_a_key_of_the_wrong_type_leaves_no_script_half_done",
    ),
    Fault(
        "headers: an id of any length counts in Lua",
        "streamq/redis/lua/parts/header_id.lua",
        "return id and is_id(id) and id or nil",
        "return id",
        "tests/lua/test_headers.py::test_lua_and_python_read_the_same",
    ),
    Fault(
        "headers: two ids in one object",
        "streamq/redis/lua/parts/rewritten.lua",
        "if member.name ~= 'id' and not drop[",
        "if not drop[",
        "tests/lua/test_headers.py::test_lua_and_python_read_the_same",
    ),
    Fault(
        "headers: an escaped quote ends a string",
        "streamq/redis/lua/parts/headers.lua",
        "until (at - back) % 2 == 0",
        "until true",
        "tests/lua/test_headers.py::test_lua_and_python_read_the_same",
    ),
    Fault(
        "headers: the first of two members counts",
        "streamq/redis/lua/parts/own_headers.lua",
        "for i = #list, 1, -1 do",
        "for i = 1, #list do",
        "tests/lua/test_headers.py::test_lua_and_python_read_the_same",
    ),
    Fault(
        "headers: text after the object is ignored",
        "streamq/redis/lua/parts/headers.lua",
        "return mark and at == #headers + 1 and list",
        "return mark and list",
        "tests/lua/test_headers.py::test_lua_and_python_read_the_same",
    ),
    Fault(
        "headers: Python decodes escaped names",
        "streamq/model/headers.py",
        'if b"\\\\" not in raw:',
        "if True:",
        "tests/lua/test_headers.py::test_lua_and_python_read_the_same",
    ),
    Fault(
        "headers: Python drops what others wrote",
        "streamq/model/headers.py",
        'foreign = ours.pop("foreign", b"")',
        'foreign = ours.pop("foreign") and b""',
        "tests/lua/test_headers.py::test_lua_and_python_read_the_same",
    ),
    Fault(
        "audit: entries beyond the page of pending ones are stranded",
        "streamq/redis/lua/audit.lua",
        "(not pending and all_pending or",
        "(not pending or",
        "tests/promises/test_housekeeping.py::"
        "test_entries_deleted_by_hand_strand_no_neighbour_and_leave_right_counts",
    ),
    Fault(
        "audit: runs after what is delivered meanwhile",
        "streamq/redis/lua/audit.lua",
        "if last == '' then last = last_delivered(lane) end",
        "last = last_delivered(lane)",
        "tests/lua/test_script_bounds.py::"
        "test_an_audit_goes_by_pages_and_ends_with_what_was_delivered_when_it_began",
    ),
    Fault(
        "audit: pending ones beyond the page of entries are ghosts",
        "streamq/redis/lua/audit.lua",
        "(not entry and all_there or",
        "(not entry or",
        "tests/lua/test_script_bounds.py::test_audit_reads_no_more_than_its_budget_of_bytes",
    ),
    Fault(
        "audit: ids are compared as text",
        "streamq/redis/lua/parts/comes_before.lua",
        "#a_ms < #b_ms or #a_ms == #b_ms and a_ms < b_ms",
        "a_ms < b_ms",
        "tests/promises/test_housekeeping.py::"
        "test_entries_deleted_by_hand_strand_no_neighbour_and_leave_right_counts",
    ),
    Fault(
        "enqueue: a producer record of another shape raises",
        "streamq/redis/lua/enqueue.lua",
        "if not last or tonumber(last) <",
        "if tonumber(last) <",
        "tests/lua/test_foreign.py::"
        "test_500_random_faults_in_the_keys_of_a_queue_stop_no_script_and_no_neighbour",
    ),
    Fault(
        "locate: a pointer to no id raises",
        "streamq/redis/lua/parts/places.lua",
        "#keys.lanes and is_id(entry) then",
        "#keys.lanes then",
        "tests/engine/test_odd_views.py::test_a_job_whose_pointer_leads_nowhere_is_found_at_its_birthplace",
    ),
    Fault(
        "prune: what is still to come is pruned or stands in the way",
        "streamq/redis/lua/prune.lua",
        "elseif ago < 0 then",
        "elseif false then",
        "tests/lua/test_script_bounds.py::"
        "test_a_record_finished_in_the_future_is_kept_and_those_behind_it_are_pruned",
    ),
    Fault(
        "prune: a negative age is not read",
        "streamq/redis/lua/parts/record_times.lua",
        "'^%a(%-?%d+)'",
        "'^%a(%d+)'",
        "tests/lua/test_script_bounds.py::"
        "test_a_record_finished_in_the_future_is_kept_and_those_behind_it_are_pruned",
    ),
    Fault(
        "release: no budget of bytes",
        "streamq/redis/lua/release.lua",
        "while bytes < BUDGET and",
        "while",
        "tests/lua/test_script_bounds.py::test_release_says_where_it_stopped",
    ),
    Fault(
        "reclaim: no budget of bytes",
        "streamq/redis/lua/reclaim.lua",
        "if bytes >= BUDGET then break end",
        "",
        "tests/lua/test_script_bounds.py::test_reclaim_takes_no_more_than_its_budget_of_bytes",
    ),
    Fault(
        "fetch: none asked for, all delivered",
        "streamq/redis/lua/fetch.lua",
        "if n < 1 then return { lane.ready, {} } end",
        "",
        "tests/lua/test_script_bounds.py::"
        "test_fetch_delivers_500_jobs_at_most_and_none_when_none_are_asked_for",
    ),
    Fault(
        "settle: all at once when less is kept",
        "streamq/redis/lua/parts/finish.lua",
        "- keep, #ids + 1000)",
        "- keep, 1e9)",
        "tests/lua/test_script_bounds.py::test_settle_forgets_a_bounded_number_when_less_is_kept_than_before",
    ),
    Fault(
        "settle: what is older goes with a whole read",
        "streamq/redis/lua/settle.lua",
        "if whole and #redis.call('XRANGE', stream, '-', '(' .. entries[1], 'COUNT', 1) == 0 then",
        "if whole then",
        "tests/lua/test_settle.py::"
        "test_a_whole_read_leaves_by_a_trim_and_takes_nothing_older_or_newer_with_it",
    ),
    Fault(
        "settle: half done where a key is of another type",
        "streamq/redis/lua/settle.lua",
        "-- expects: finished",
        "",
        "tests/lua/test_wrong_types.py::test_a_key_of_the_wrong_type_leaves_no_script_half_done",
    ),
    Fault(
        "requeue: who comes second finds no job",
        "streamq/redis/lua/parts/again.lua",
        "return (living or record) and { 'is',",
        "return record and { 'is',",
        "tests/engine/test_retries.py::"
        "test_of_20_who_retry_at_once_one_moves_the_job_and_the_others_are_told_its_state",
    ),
    Fault(
        "places: the entry of a moved job is taken for its id",
        "streamq/redis/lua/parts/places.lua",
        "if task and (id_of(headers) or id) == id then",
        "if task then",
        "tests/engine/test_retries.py::test_only_its_own_id_finds_a_job_whatever_its_moves",
    ),
    Fault(
        "codec: any depth is written",
        "streamq/model/codec.py",
        'return "recursion limit" in _refusal(raw)',
        "return False",
        "tests/engine/test_deep.py::test_a_result_that_could_not_be_shown_fails_its_job",
    ),
    Fault(
        "requeue: an id of another shape",
        "streamq/redis/lua/parts/again.lua",
        "is_id(id) and redis.call('HGET'",
        "redis.call('HGET'",
        "tests/lua/test_foreign.py::"
        "test_500_random_faults_in_the_keys_of_a_queue_stop_no_script_and_no_neighbour",
    ),
    Fault(
        "views: a time out of every calendar spoils a page",
        "streamq/model/job_reader.py",
        "except (ValueError, OverflowError, OSError):",
        "except ZeroDivisionError:",
        "tests/engine/test_odd_views.py::test_a_delayed_job_is_shown_as_far_as_it_can_be_read",
    ),
    Fault(
        "store: outcomes of any size in one call",
        "streamq/store/outcomes.py",
        "or size + len(settlement.body) > SETTLED_BYTES",
        "",
        "tests/lua/test_script_bounds.py::test_outcomes_are_settled_in_parts_bounded_by_number_and_by_bytes",
    ),
)
