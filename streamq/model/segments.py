"""Names that stand in the paths of the API: ``..`` means one step up there, to every client, however it is escaped."""

from __future__ import annotations

import re
from typing import Final

_FOLDED: Final = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")


def is_folded(name: str) -> bool:
    """Whether a client or a proxy takes it, or a part of it between slashes, out of a path that it stands in.

    What is asked of ``groups/../pause`` would be done to the queue.
    """
    return _FOLDED.search(name) is not None
