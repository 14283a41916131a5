"""How safe an acknowledged job is."""

from __future__ import annotations

from typing import Literal

Durability = Literal["memory", "fsync", "replica"]
"""How safe an acknowledged job is: in the server's memory, on its disk, or on a replica."""
