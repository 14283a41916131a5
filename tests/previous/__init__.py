"""The version before this one, as a zip of its source that Python imports from.

``make previous COMMIT=…`` makes it anew, when a version is out that may stand beside the next one.
"""

from __future__ import annotations

from pathlib import Path

PATH = Path(__file__).parent / "streamq.zip"
