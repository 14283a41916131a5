"""The group of a job, made of its payload by its task: ``group="{workspace_id}:{contact_id}"``, or a function of it."""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter
from typing import Any, Final

from streamq.errors import FieldError, InvalidPayload
from streamq.model import codec
from streamq.model.group import FORM, may_name_group
from streamq.model.masked import MASK
from streamq.model.shown import as_given

GroupOf = str | Callable[[Any], str | None]
"""A template of members of the payload, or a function of the payload as its handler takes it: ``None`` is no group."""

_FORMS: Final = "write a template of fields, as '{workspace_id}:{contact_id}', or a function of the payload"


def wrong_grouping(group: object) -> str:
    """What is wrong with what makes groups, as a sentence; empty when nothing is."""
    if group is None or callable(group):
        return ""
    said = f"group={as_given(group)} is not possible: "
    if not isinstance(group, str):
        return said + _FORMS
    try:
        parts = list(Formatter().parse(group))
    except ValueError as error:
        return f"{said}{error}; {_FORMS}"
    names = [name for _, name, _, _ in parts if name is not None]
    if (
        not all(names)
        or any(form or turned for _, _, form, turned in parts)
        or not (names or may_name_group(group))
    ):
        return said + _FORMS
    sample = "".join(literal + ("x" if name is not None else "") for literal, name, _, _ in parts)
    return "" if may_name_group(sample) else f"{said}{FORM}"


class _Unmade(Exception):
    """There is none. ``reason`` says why, with ``value`` in the place of ``{}``."""

    def __init__(self, reason: str, value: str) -> None:
        self.reason, self.value = reason, value
        super().__init__(reason)


def group_of(
    task: str, group: GroupOf, encoded: bytes, read: Callable[[bytes], Any], *, hides: bool = False
) -> str:
    """The group of a job with this payload; empty for none. Raises ``InvalidPayload`` where it cannot be made, which
    quotes nothing of a payload that ``hides`` a part."""
    try:
        return _made(group, encoded, read)
    except _Unmade as error:
        said = error.reason.replace("{}", MASK if hides else error.value)
        cause = None if hides else error.__cause__
        raise InvalidPayload(task, [FieldError("", "group", said)]) from cause


def _made(group: GroupOf, encoded: bytes, read: Callable[[bytes], Any]) -> str:
    made: Any = (
        _filled(group, codec.loads(encoded)) if isinstance(group, str) else _asked(group, read(encoded))
    )
    if made is None:
        return ""
    if not may_name_group(made):
        raise _Unmade(f"its group {{}} cannot name one: {FORM}", as_given(made))
    return str(made)


def _filled(template: str, payload: Any) -> str:
    made = []
    for literal, name, _, _ in Formatter().parse(template):
        made.append(literal)
        if name is not None:
            value = payload
            for member in name.split("."):
                value = value.get(member) if isinstance(value, dict) else None
            if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
                said = f"its group is made of {name!r}, which is {{}}: it must be text or a whole number"
                raise _Unmade(said, as_given(value))
            made.append(str(value))
    return "".join(made)


def _asked(group: Any, payload: Any) -> Any:
    try:
        return group(payload)
    except Exception as error:  # code of the program's own
        raise _Unmade(f"its group cannot be made: {type(error).__name__}: {{}}", str(error)) from error
