"""Bugs in what jobs tell, and in results with a time of their own."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "reports: a write whose answer was lost adds its lines twice",
        "streamq/redis/lua/report.lua",
        "tonumber(number or 0), mark == args.mark",
        "tonumber(number or 0), false",
        "tests/engine/test_reports.py::test_a_write_whose_answer_was_lost_adds_no_line_twice",
    ),
    Fault(
        "reports: a log keeps all its pages",
        "streamq/redis/lua/report.lua",
        "if job.page ~= '' then put(job.id .. ':' .. job.number % PAGES, job.page) end end",
        "if job.page ~= '' then put(job.id .. ':' .. job.number, job.page) end end",
        "tests/engine/test_reports.py::test_a_log_keeps_its_last_lines_and_says_how_many_were_dropped",
    ),
    Fault(
        "reports: those of a job that is nowhere stay",
        "streamq/redis/lua/prune_reports.lua",
        "forget_reports(gone)",
        "",
        "tests/engine/test_reports.py::test_reports_go_with_the_record_of_their_job",
    ),
    Fault(
        "reports: what is masked in the payload is told",
        "streamq/worker/reporter.py",
        "if hide := hider(attempt):",
        "if (hide := hider(attempt)) and not text:",
        "tests/engine/test_reports.py::test_what_is_masked_in_the_payload_is_masked_in_what_the_handler_tells",
    ),
    Fault(
        "results: one whose time is over stays",
        "streamq/redis/lua/prune_results.lua",
        "if payload then",
        "if payload == 0 then",
        "tests/engine/test_reports.py::test_a_result_is_kept_as_long_as_its_task_or_its_job_says",
    ),
)
