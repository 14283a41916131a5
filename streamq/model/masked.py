"""Masked: values that a handler gets as they are, and that no view and no log shows.

A declared type tells where they are, as JSON pointers in which ``*`` stands for every item of a list and every member
of an object. Where a value is not of the shape that a pointer tells of, more is masked, never less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from streamq.model import codec
from streamq.model.pointers import json_pointer, steps_of

MASK: Final = "***"
"""What is shown in the place of a masked value."""
MOST: Final = 50
"""Pointers of one type; they travel with each job. A type that has more is masked as a whole."""
WHOLE: Final = ("",)
"""The pointers of a value that is masked as a whole."""

_MARK: Final = "streamq_masked"
_NOT_TYPES: Final = frozenset({"metadata", "config", "default", "cls", "serialization"})

Schema = dict[str, Any]
Path = tuple[str, ...]


class Masked:
    """Marks what no view and no log shows: ``card: Annotated[str, Masked]``.

    In a model, a dataclass, a ``TypedDict``, a parameter or a result. The handler gets the value; jobs, logs and errors
    show ``***`` in its place.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        schema: Schema = handler(source)
        if "ref" in schema or schema["type"] in ("definition-ref", "definitions"):
            schema = {
                "type": "union",
                "choices": [schema],
            }  # a model of its own, that others may use unmasked
        return {**schema, "metadata": {**schema.get("metadata", {}), _MARK: True}}


# -- where a type has masked values ---------------------------------------------------------------------------------


def pointers_of(schema: Any) -> tuple[str, ...]:
    """The pointers to the masked values of a type, read from pydantic's core schema of it."""
    named = {each["ref"]: each for each in schema.get("definitions", ())}
    if not _has_mark(schema, named, set()):
        return ()
    found = dict.fromkeys(_paths(schema, (), named))
    return tuple(map(json_pointer, found)) if len(found) <= MOST else WHOLE


def _has_mark(node: Any, named: dict[str, Any], seen: set[str]) -> bool:
    if isinstance(node, list | tuple):
        return any(_has_mark(each, named, seen) for each in node)
    if not isinstance(node, dict):
        return False
    if _is_marked(node):
        return True
    ref = node.get("schema_ref")
    if ref is not None and ref not in seen:
        seen.add(ref)
        if _has_mark(named.get(ref), named, seen):
            return True
    return any(_has_mark(each, named, seen) for name, each in node.items() if name not in _NOT_TYPES)


def _is_marked(node: Schema) -> bool:
    return bool((node.get("metadata") or {}).get(_MARK))


def _paths(
    node: Any, at: Path, named: dict[str, Any], opened: frozenset[str] = frozenset()
) -> Iterator[Path]:
    """The masked places in a type that stands at ``at``; one that contains itself is masked there as a whole."""
    if not _has_mark(node, named, set()):
        return
    ref = node.get("schema_ref")
    if _is_marked(node) or ref in opened or "function" in (node.get("serialization") or {}):
        yield at
    elif ref is not None:
        yield from _paths(named[ref], at, named, opened | {ref})
    elif (parts := _PARTS.get(node["type"])) is None:
        yield at
    else:
        opened = opened | {node["ref"]} if "ref" in node else opened
        for steps, part in parts(node):
            yield from _paths(part, (*at, *steps), named, opened)


_Parts = Iterator[tuple[Path, Any]]
_EACH: Final = ("*",)


def _same(*names: str) -> Callable[[Schema], _Parts]:
    """The parts of a type that stand where it stands itself."""
    return lambda node: (((), node[name]) for name in names if name in node)


def _items(node: Schema) -> _Parts:
    yield _EACH, node.get("items_schema")


def _tuple(node: Schema) -> _Parts:
    variadic = node.get("variadic_item_index")
    for at, item in enumerate(node["items_schema"]):
        yield (_EACH if variadic is not None and at >= variadic else (str(at),)), item


def _dict(node: Schema) -> _Parts:
    yield (), node.get("keys_schema")
    yield _EACH, node.get("values_schema")


def _choices(node: Schema) -> _Parts:
    choices = node["choices"]
    for each in choices.values() if isinstance(choices, dict) else choices:
        yield (), each[0] if isinstance(each, tuple) else each


def _fields(node: Schema) -> _Parts:
    fields = node["fields"]
    named = fields.items() if isinstance(fields, dict) else ((each["name"], each) for each in fields)
    for name, field in named:
        for path in ((name,), *_aliases(field.get("validation_alias"))):
            yield path, field["schema"]
    yield _EACH, node.get("extras_schema")


def _aliases(alias: Any) -> Iterator[Path]:
    """Other names under which another program may have written a field."""
    if isinstance(alias, str):
        yield (alias,)
    elif alias:
        for path in alias if isinstance(alias[0], list) else [alias]:
            yield tuple(map(str, path))


_PARTS: Final[dict[str, Callable[[Schema], _Parts]]] = {
    **dict.fromkeys(("list", "set", "frozenset", "generator"), _items),
    **dict.fromkeys(("model-fields", "dataclass-args", "typed-dict"), _fields),
    **dict.fromkeys(("union", "tagged-union"), _choices),
    **dict.fromkeys(
        ("definitions", "model", "dataclass", "nullable", "default"), _same("schema"),
    ),
    **dict.fromkeys(
        ("function-before", "function-after", "function-wrap"), _same("schema"),
    ),
    "tuple": _tuple,
    "dict": _dict,
    "lax-or-strict": _same("lax_schema", "strict_schema"),
    "json-or-python": _same("json_schema", "python_schema"),
}  # fmt: skip
"""What a type is made of, and where that stands in it. A type that is not here is masked as a whole."""


# -- what is shown of a value ---------------------------------------------------------------------------------------


def mask(value: Any, pointers: Iterable[str]) -> Any:
    """A value as JSON has it, with ``***`` in the masked places. It is changed in place where it has parts."""
    for pointer in pointers:
        value = _masked(value, steps_of(pointer), lambda _: None)
    return value


def texts_in(value: Any, pointers: Iterable[str]) -> set[str]:
    """The texts and numbers in the masked places, as text: those of at least ``SHORTEST`` characters.

    The value is masked meanwhile.
    """
    found: set[str] = set()

    def collect(part: Any) -> None:
        if isinstance(part, str | int | float) and len(text := _text(part)) >= SHORTEST:
            found.add(text)
        for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            collect(each)

    for pointer in pointers:
        value = _masked(value, steps_of(pointer), collect)
    return found


def _text(part: str | float) -> str:
    """A part as a message has it; empty for what is in many by chance."""
    return part if isinstance(part, str) else "" if isinstance(part, bool) else codec.dumps(part).decode()


SHORTEST: Final = 4
"""Characters of a masked text that is searched for in messages: a shorter one stands in many by chance."""


def _masked(value: Any, steps: Path, met: Callable[[Any], None]) -> Any:
    if value is None or value == MASK:
        return value
    if steps and isinstance(value, dict):
        for name in list(value) if steps[0] == "*" else [steps[0]] if steps[0] in value else []:
            value[name] = _masked(value[name], steps[1:], met)
        return value
    if steps and isinstance(value, list) and (steps[0] == "*" or steps[0].isdecimal()):
        for at in range(len(value)) if steps[0] == "*" else [int(steps[0])]:
            value[at : at + 1] = [_masked(each, steps[1:], met) for each in value[at : at + 1]]
        return value
    met(value)
    return MASK


def masks_in(value: Any, pointers: Iterable[str]) -> Iterator[str]:
    """The masked places in which ``***`` stands, as JSON pointers: such a value was taken from a view."""
    for pointer in pointers:
        yield from _masks_in(value, steps_of(pointer), ())


def _masks_in(value: Any, steps: Path, at: Path) -> Iterator[str]:
    if value == MASK:
        yield json_pointer(at)
    elif steps and isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            if steps[0] in ("*", str(name)):
                yield from _masks_in(part, steps[1:], (*at, str(name)))


def hide(text: str, texts: Sequence[str]) -> str:
    """A text without these in it, the longest first; also as ``repr`` and as JSON write them."""
    for each in sorted(texts, key=len, reverse=True):
        for form in dict.fromkeys((each, repr(each)[1:-1], codec.dumps(each).decode()[1:-1])):
            text = text.replace(form, MASK)
    return text


# -- what an error may tell -----------------------------------------------------------------------------------------

_TELLS_NO_VALUE: Final = frozenset({
    "missing", "extra_forbidden", "json_invalid", "int_parsing", "float_parsing", "bool_parsing", "decimal_parsing",
    "string_too_short", "string_too_long", "string_pattern_mismatch", "too_short", "too_long", "greater_than",
    "greater_than_equal", "less_than", "less_than_equal", "multiple_of", "enum", "literal_error",
})  # fmt: skip
"""Codes of errors whose message has only what the type says; so have those that end in ``_type``."""


def tells_a_value(code: str) -> bool:
    """Whether the message of an error with this code may quote the value."""
    return code not in _TELLS_NO_VALUE and not code.endswith("_type")


def open_members(schema: Any, pointers: Sequence[str]) -> frozenset[str]:
    """The members of an object in which nothing is masked; none where that is not known."""
    named = {each["ref"]: each for each in schema.get("definitions", ())}
    while schema["type"] in ("definitions", "definition-ref", "model", "dataclass"):
        schema = named[schema["schema_ref"]] if "schema_ref" in schema else schema["schema"]
    first = {(steps_of(pointer) or ("*",))[0] for pointer in pointers}
    if _PARTS.get(schema["type"]) is not _fields or "*" in first:
        return frozenset()
    return frozenset(steps[0] for steps, _ in _fields(schema) if steps != _EACH) - first
