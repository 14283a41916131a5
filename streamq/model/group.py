"""The name of a group: a tenant, as ``66338``, or a part of one, as ``66338:contact-9``.

``lua/parts/group_of.lua`` reads it by the same form.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 128
"""Characters of a name: two ids, or an address."""
FORM: Final = (
    f"use 1 to {LONGEST} characters without blanks, quotation marks and backslashes; one colon may part two levels, "
    "and no level begins with '*'"
)
_NAME: Final = re.compile(r'(?!\*)[^\s:"\\\x00-\x1f\x7f]+(?::(?!\*)[^\s:"\\\x00-\x1f\x7f]+)?')


def is_group(text: object) -> bool:
    """Whether it may name a group."""
    return (
        isinstance(text, str)
        and len(text) <= LONGEST
        and text.isprintable()
        and _NAME.fullmatch(text) is not None
    )


def tenant_of(group: str) -> str:
    """The first level of a name."""
    return group.partition(":")[0]
