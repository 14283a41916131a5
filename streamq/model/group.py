"""The name of a group: a tenant, as ``66338``, or a part of one, as ``66338:contact-9``.

``lua/parts/group_of.lua`` reads it by the same form.
"""

from __future__ import annotations

import re
from typing import Final

from streamq.model.segments import is_folded

LONGEST: Final = 128
"""Characters of a name: two ids, or an address."""
FORM: Final = (
    f"use 1 to {LONGEST} characters without blanks, quotation marks and backslashes; one colon may part two levels, "
    "no level begins with '*', and none is '.' or '..', nor a part of one between slashes"
)
_NAME: Final = re.compile(r'(?!\*)[^\s:"\\\x00-\x1f\x7f]+(?::(?!\*)[^\s:"\\\x00-\x1f\x7f]+)?')


def is_group(text: object) -> bool:
    """Whether it is read as the name of a group, which jobs may have had for long."""
    return (
        isinstance(text, str)
        and len(text) <= LONGEST
        and text.isprintable()
        and _NAME.fullmatch(text) is not None
    )


def may_name_group(text: object) -> bool:
    """Whether a new job may be of it: its pages, and those of its tenant, can be reached by their paths, too."""
    return is_group(text) and not any(map(is_folded, str(text).split(":")))


def tenant_of(group: str) -> str:
    """The first level of a name."""
    return group.partition(":")[0]
