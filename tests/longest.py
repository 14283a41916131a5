"""Which files of tests take longest.

Each of the processes that run the suite takes a file at a time. One of these, begun last, would be waited for by all:
so they are begun first. A file that takes more than ten seconds belongs here; the order need not be exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent
LONGEST: Final = (
    "docs/test_examples.py",
    "promises/test_liveness.py",
    "service/test_intake_weather.py",
    "service/test_dashboard_axe.py",
    "measured/test_scripts.py",
    "engine/test_upkeep.py",
    "service/test_mail_weather.py",
    "bench/test_commands.py",
    "promises/test_lost_servers.py",
    "promises/test_lost_workers.py",
    "service/test_dashboard_pages.py",
    "engine/test_roles.py",
    "promises/test_bulk.py",
    "floods/test_drill.py",
    "floods/test_nodes.py",
    "floods/test_switches.py",
    "service/test_contract.py",
    "service/test_dashboard_mended.py",
    "service/test_commands.py",
    "engine/test_command_answers.py",
    "engine/test_back_up.py",
    "service/test_wrong_settings.py",
    "engine/test_bulk_commands.py",
    "service/test_bad_weather.py",
    "engine/test_export.py",
    "engine/test_limits_that_meet.py",
    "test_embedded_server.py",
    "service/test_intake_crashes.py",
    "moving/test_migrate_command.py",
    "moving/test_migrate_kills.py",
    "moving/test_import_bullmq.py",
    "moving/test_import_odd.py",
    "moving/test_migrate.py",
    "engine/test_queue_trouble.py",
    "lua/test_foreign.py",
    "service/test_intake_commands.py",
    "promises/test_purge.py",
    "promises/test_rolling_change.py",
    "engine/test_durability.py",
    "service/test_dashboard_state.py",
    "engine/test_gate_faults.py",
    "engine/test_fetching.py",
    "measured/test_delivery.py",
    "engine/test_command_line.py",
    "service/test_dashboard_acts.py",
    "service/test_made_keys.py",
    "engine/test_overdue.py",
)
"""By their paths in this folder, the longest first."""
