"""Field errors as JSON has them: ``{"pointer", "code", "message", "hint"?}``, whoever found them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from streamq import InvalidPayload, InvalidSchedule, json_pointer

from .problems import VALIDATION, Problem, cut

FieldError = dict[str, str]

LIMIT: Final = 50
"""Field errors that are told: who made more has made one mistake many times."""
_LONGEST: Final = {"pointer": 200, "code": 50, "message": 300, "hint": 300}
"""Characters: names and values of a caller's fields are in them, and may be of any length."""
_NAME: Final = 64
"""Characters of a field's name for which a near one is searched: a longer one is near to none."""


class Invalid(Problem):
    """422 with the field errors, at most 50 and each of bounded length; ``count`` is how many there are in all."""

    def __init__(
        self, errors: Sequence[FieldError], what: str = "request body", count: int | None = None
    ) -> None:
        count = len(errors) if count is None else count
        many = f"{count:,} things are" if count > 1 else "one thing is"
        told = [{name: cut(text, _LONGEST[name]) for name, text in e.items()} for e in errors[:LIMIT]]
        more: dict[str, Any] = {"more_errors": count - len(told)} if count > len(told) else {}
        super().__init__(VALIDATION, f"The {what} is not valid: {many} wrong.", errors=told, **more)


def field_error(pointer: str, code: str, message: str, hint: str = "") -> FieldError:
    """One of them; without a hint it has none."""
    error = {"pointer": pointer, "code": code, "message": message}
    return {**error, "hint": hint} if hint else error


def unknown_fields(names: Iterable[str]) -> list[FieldError]:
    """Those of a query where there is none."""
    hint = "this address takes no query"
    return [
        field_error(json_pointer((name,)), "unknown-field", "is not a known field", hint) for name in names
    ]


def given_twice(names: Iterable[str]) -> list[FieldError]:
    """Those of a query whose names come more than once."""
    return [field_error(json_pointer((name,)), "twice", "is given more than once") for name in names]


def of_payload(error: InvalidPayload | InvalidSchedule, below: str = "") -> list[FieldError]:
    """Those that the engine found in a payload or a schedule, which stands at ``below`` in what the caller sent."""
    return [field_error(below + each.pointer, _code(each.code), each.message) for each in error.errors]


def of_model(error: ValidationError, model: type[BaseModel]) -> tuple[list[FieldError], int]:
    """The first of those that pydantic found, and how many there are."""
    known = [field.alias or name for name, field in model.model_fields.items()]
    errors = error.errors(include_url=False, include_input=False)
    return [_of_model(e, known) for e in errors[:LIMIT]], len(errors)


_CODES: Final = {"extra_forbidden": "unknown-field", "model_type": "type", "dataclass_type": "type"}
"""Our words for some of pydantic's codes, of all others the words are parted as those of ours."""


def _code(found: str) -> str:
    """The code of a field error, whether a field of the request or of a payload is wrong."""
    return _CODES.get(found) or found.replace("_", "-")


def _of_model(error: Any, known: list[str]) -> FieldError:
    location, code = error["loc"], error["type"]
    where = json_pointer(location)
    match code:
        case "extra_forbidden":
            name = str(location[-1])
            near = difflib.get_close_matches(name, known, n=1) if len(name) <= _NAME else []
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            return field_error(where, _code(code), "is not a known field", hint)
        case "missing":
            return field_error(where, "missing", "is required")
        case "model_type":
            return field_error(where, _code(code), "must be a JSON object")
    hint = (error.get("ctx") or {}).get("hint", "")
    return field_error(where, _code(code), error["msg"].removeprefix("Input ").rstrip("."), hint)
