"""Where in the program's own code an error was raised: the frame by which failures are told apart."""

from __future__ import annotations

import sysconfig
from types import FrameType, TracebackType
from typing import Any, Final

_traceback_of = BaseException.__dict__["__traceback__"].__get__
LONGEST: Final = 200
"""Characters of a frame: module and function."""
DEEPEST: Final = 1_000
"""Frames that are looked at: the default limit of recursion."""
_LIBRARIES: Final = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
_INSTALLED: Final = ("/site-packages/", "/dist-packages/", "\\site-packages\\", "<frozen ")


def own_frame(error: BaseException) -> str:
    """The innermost frame that is no library's, as ``module:function``; the innermost of all where each is.

    Empty where there is none. Never raises: an error is code of the handler's program.
    """
    try:
        found: FrameType | None = None
        at: TracebackType | None = _traceback_of(error)
        innermost = None
        for _ in range(DEEPEST):
            if at is None:
                break
            innermost = at.tb_frame
            if _is_own(innermost):
                found = innermost
            at = at.tb_next
        return _named(found or innermost) if innermost else ""
    except Exception:
        return ""


def _is_own(frame: FrameType) -> bool:
    name, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
    is_library = name.startswith(_LIBRARIES) or any(part in name for part in _INSTALLED)
    return not is_library and not module.startswith("streamq.")


def _named(frame: Any) -> str:
    module = str(frame.f_globals.get("__name__"))
    return f"{module}:{frame.f_code.co_qualname}"[:LONGEST].encode("utf-8", "replace").decode()
