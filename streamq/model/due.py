"""Due times on their way to the scripts: milliseconds from now, or ``@`` and milliseconds since the epoch.

Only the server's clock counts: it turns the first into the second. (``lua/parts/due.lua`` reads them.)
"""

from __future__ import annotations


def after(seconds: float) -> str:
    """The due time so many seconds from now."""
    return f"{round(seconds * 1000)}"


def at(ms: int) -> str:
    """The due time at so many milliseconds since the epoch; what is over by then is due at once."""
    return f"@{max(1, ms)}"  # 0 is how a held job is marked
