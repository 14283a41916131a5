"""What one planted bug is."""

from __future__ import annotations

import shlex
from typing import NamedTuple


class Fault(NamedTuple):
    """``sound`` stands exactly once in ``file`` and is replaced by ``planted``; ``tests`` are words for pytest."""

    name: str
    file: str
    sound: str
    planted: str
    tests: str

    def words(self) -> list[str]:
        """``tests`` as a shell would split them; on Redis alone, unless they choose the kind of server."""
        words = shlex.split(self.tests)
        if "valkey" in self.tests:
            return words
        if "-k" in words:
            at = words.index("-k") + 1
            words[at] = f"({words[at]}) and not valkey"
            return words
        return [*words, "-k", "not valkey"]
