"""The page for those who come from the old service: each lesson has its row, and each thing that a row names exists."""

from __future__ import annotations

import re

import pytest
from streamq_service.app import ROUTES
from streamq_service.messaging import CHANNELS
from streamq_service.settings import ServiceSettings

from ..house.source import ROOT

PAGE = ROOT / "docs" / "coming-from-the-old-service.md"
TEXT = PAGE.read_text()
LESSONS = TEXT.partition("## Each lesson")[2]
TABLE = [
    [cell.strip(" |") for cell in line.split(" | ")] for line in LESSONS.splitlines() if line.startswith("| ")
][2:]
NAMED = re.compile(r"`([^`]+)`")

LEARNT: dict[str, list[str]] = {
    "The server has another": [
        "Railway Proxy for Redis Access", "Redis Connection Strategies", "Redis Connection Challenges",
        "Redis Connection Issues: Problem", "Redis Connection Issues: Root Cause", "Redis Connection Issues: Solution",
        "Code Implementation",
    ],
    "Tests of a connection": ["Connection Testing Best Practices", "Redis Connection Issues: Best Practices"],
    "Counts of jobs": ["BullMQ Queue Management"],
    "Configuration by environment": ["Environment-Specific Configuration", "Environment Variables Management"],
    "A queue of its own": [
        "Separate Queues for Different Job Types", "Queue Design Patterns",
        "Queue Structure for Email Processing",
    ],
    "One function that checks": ["Helper Functions for Job Addition"],
    "Check data before": ["Schema Validation", "Zod Schema Validation Issues"],
    "Call an API with": ["API Integration Best Practices"],
    "The base address is": ["API Endpoint Configuration"],
    "Required fields need": ["Default Values for Required Fields"],
    "Use the names of": ["Field Naming Conventions"],
    "The same ids in": [
        "Issue",
        "Consistent Identifier Usage Between Test and Production: Solution",
        "Consistent Identifier Usage Between Test and Production: Lessons Learned",
    ],
    "Static files must": ["Static File Serving in Production"],
    "E-mail by the pattern": ["API Endpoint Design"],
    "A page to try": ["UI Testing Design"],
    "The API must work": ["API Testing vs UI Testing"],
    "Look for trouble": ["Incremental Troubleshooting", "Troubleshooting"],
    "No credentials in": ["Secure Credential Management"],
    "A secret that was": ["Credential Rotation After Exposure"],
    "A page must bear": [
        'Preventing "Cannot set properties of null" Errors', "Data Validation Best Practices",
    ],
    "One table for": ["UI Duplication Issues"],
    "No worker is": ["Proper Registration of All Queue Workers", "Best Practices for Worker Registration"],
    "The way of an AI": ["Understanding the AI Response Flow", "Next Steps for Production"],
    "Callbacks have two": ["Implementation Notes"],
    "Limits at once": ["Rate Limiting Implementation"],
    "Requests of monitors": [
        'Observation: Frequent "incoming request" and "request completed" logs', "Explanation", "Conclusion",
        "Fastify Logger Configuration",
    ],
    "Connections cost": ["Redis Connection Optimization"],
    "Health checks cost": ["Health Check Frequency"],
    "Finished jobs must": ["Queue Job Cleanup"],
    "How many jobs": ["Worker Concurrency"],
    "The process was": ["Results"],
    "Time limits that": [
        "Command Timeout Errors", "Balancing Memory Optimization and Stability in Redis Connections: Root Cause",
        "Solution - Finding the Right Balance",
        "Balancing Memory Optimization and Stability in Redis Connections: Lessons Learned",
    ],
    "Scheduled messages": [
        "Fix metrics tracking for scheduled SMS messages (May 07, 2025)",
        "Fix SMS metrics tracking by adding required fields for proper worker integration (May 7, 2025)",
    ],
    "The server may come": [
        "Redis Connection Handling: Problem", "Redis Connection Handling: Solution",
        "Redis Connection Handling: Best Practices", "What Not To Do",
    ],
}  # fmt: skip
"""The lessons of the old list by their titles there, with the begin of their row on the page."""
NOT_YET = {
    "Supabase Realtime Subscription",
    "Job Status Management",
    "Integration with Existing Queue Infrastructure",
}
"""Of the intake from a database."""
OLD_LISTS = [folder / "shared" / "seed" / "lessons-learned.md" for folder in ROOT.parents[:2]]


def test_the_unit_of_delays_and_its_setting_are_said_first() -> None:
    first = TEXT.split("\n\n")[1]
    assert "milliseconds" in first
    assert "`STREAMQ_SCHEDULE_DELAY_UNIT=ms`" in first


def test_every_lesson_has_its_row_and_every_row_is_of_a_lesson() -> None:
    assert len(TABLE) == len(LEARNT)
    for row in TABLE:
        assert sum(row[0].startswith(begin) for begin in LEARNT) == 1, row[0]
    for begin in LEARNT:
        assert sum(row[0].startswith(begin) for row in TABLE) == 1, begin


def test_the_lessons_are_those_of_the_old_list() -> None:
    """Compared where that lies beside the project."""
    found = next((each for each in OLD_LISTS if each.is_file()), None)
    if found is None:
        pytest.skip("the list of the old service is not here")
    known = {title for titles in LEARNT.values() for title in titles} | NOT_YET
    assert titles_in(found.read_text()) == known


def titles_in(text: str) -> set[str]:
    """Of its sections, or of their parts where they have any; one that occurs twice has its section before it."""
    sections: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("## "):
            sections.append((line[3:], []))
        elif line.startswith("### "):
            sections[-1][1].append(line[4:])
    parts = [part for _, inner in sections for part in inner]
    found = set()
    for section, inner in sections:
        found |= {part if parts.count(part) == 1 else f"{section}: {part}" for part in inner} or {section}
    return found


def test_each_file_test_route_and_setting_that_the_page_names_exists() -> None:
    wrong = [name for name in NAMED.findall(TEXT) if not exists(name)]
    assert wrong == []


def test_each_row_names_a_test_and_what_it_tests() -> None:
    for lesson, _, where in TABLE:
        names = NAMED.findall(where)
        assert any(name.startswith("tests/") for name in names), lesson
        assert "](" in where or any(not name.startswith("tests/") for name in names), lesson


VARIABLES = {name for names in ServiceSettings.variables().values() for name in names}
QUEUES = {name for channel in CHANNELS for pair in channel.tasks.items() for name in pair}
OLD = {"REDIS_HOST", "REDIS_PORT", "REDIS_USER", "REDIS_PASSWORD"}


def exists(name: str) -> bool:
    """Whether a name in backticks is one of a thing that is there; words of requests and answers are."""
    variable, _, _ = name.partition("=")
    if variable.isupper() and "_" in variable:
        return variable in VARIABLES | OLD
    if name.startswith(("GET ", "POST ", "PUT ", "DELETE ")):
        return name in {f"{route.method} {route.path}" for route in ROUTES}
    if name.endswith("-queue") or name in QUEUES:
        return name in QUEUES
    if "/" in name and name.partition("/")[0] in ("service", "streamq", "tests", "docs"):
        path, _, test = name.partition("::")
        return (ROOT / path).is_file() and (not test or f"def {test}(" in (ROOT / path).read_text())
    return name != ".env.example" or (ROOT / name).is_file()
