"""What a declared type promises of its values in JSON, read from pydantic's core schema of it.

Three answers: its values cannot be sent (secrets, excluded fields, iterators); they are known to come back as they
were; or that is not known, and each value is compared after writing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import SchemaValidator

from streamq.errors import ConfigurationError

Schema = dict[str, Any]

_EXACT: Final = frozenset(
    {"str", "int", "float", "bool", "none", "date", "timedelta", "decimal", "uuid", "bytes"}
)
"""Written and read without loss. Times are not among them: an offset of minutes and seconds is cut to minutes."""
_ANY: Final[Schema] = {"type": "any"}
_KEYS: Final = frozenset({"str", "int"})
_HARMLESS: Final = frozenset(
    {"title", "extra_fields_behavior", "frozen", "validate_assignment", "validate_default"}
)
"""Settings of a model that do not change how it is written or read."""
_RENAMED: Final = (
    "validation_alias",
    "serialization_alias",
    "serialization_exclude",
    "serialization_exclude_if",
)


def refuse_unsendable(schema: Any, what: str) -> None:
    """Raise ``ConfigurationError`` when values of this type cannot arrive as they were; ``what`` names it."""
    for path, reason in _unsendable(schema, ""):
        raise ConfigurationError(
            f"{what}{' has ' + path + ', which' if path else ''} cannot be sent: {reason}"
        )


_MASKED: Final = (
    "a secret is written as ********** and arrives as that. Send a reference that the worker looks it up by, or "
    "give the field a serializer that reveals it: @field_serializer('…', when_used='json')"
)
_EXCLUDED: Final = (
    "exclude=True leaves it out of what is written. Remove that, or send a model without the field"
)
_ONCE: Final = "it can be read only once. Use list[…] or tuple[…, ...]"
_CONSTANTS: Final = "ser_json_inf_nan='constants' writes what is not JSON. Use 'strings'"
_NOT_TYPES: Final = frozenset({"metadata", "config", "default", "computed_fields", "serialization"})


def _unsendable(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _unsendable(item, path)
    if not isinstance(node, dict):
        return
    yield from ((path, reason) for reason in _reasons(node))
    if not _writer(node):  # what a custom serializer makes of a value is seen by comparing
        for name, child in node.items():
            if name == "fields":
                yield from _fields(child, path)
            elif name not in _NOT_TYPES:
                yield from _unsendable(child, path)


def _reasons(node: Schema) -> Iterator[str]:
    if node.get("serialization_exclude"):
        yield _EXCLUDED
    if node.get("type") == "generator":
        yield _ONCE
    if (node.get("config") or {}).get("ser_json_inf_nan") == "constants":
        yield _CONSTANTS
    if _masks(_writer(node)):
        yield _MASKED


def _writer(node: Schema) -> Any:
    written = node.get("serialization")
    return written.get("function") if isinstance(written, dict) else None


def _fields(fields: Any, path: str) -> Iterator[tuple[str, str]]:
    named = fields.items() if isinstance(fields, dict) else ((_name(each), each) for each in fields)
    for name, child in named:
        yield from _unsendable(child, f"{path}.{name}" if path else str(name))


def _name(child: Any) -> str:
    return str(child.get("name", "")) if isinstance(child, dict) else ""


def _masks(function: Any) -> bool:
    """Whether it is pydantic's own writer of secrets."""
    return getattr(function, "__module__", "") == "pydantic.types" and "secret" in function.__name__


@dataclass(slots=True)
class Shape:
    """What is known of a type: see ``shape``."""

    exact: bool = True
    """Every validated value is read back as it was, but for what the next two say."""
    floats: bool = False
    """It has floats: a ``null`` that is written may have been NaN or infinite."""
    classes: list[type] = field(default_factory=list)
    """Its models: an instance of a subclass would be written as the one that is declared."""


def shape(schema: Any) -> Shape:
    """What is known of a type by its core schema."""
    found = Shape()
    definitions: dict[str, Any] = {}
    if schema["type"] == "definitions":
        definitions = {each["ref"]: each for each in schema["definitions"]}
        schema = schema["schema"]
    found.exact = _exact(schema, found, definitions)
    return found


def _exact(node: Schema, found: Shape, definitions: dict[str, Any]) -> bool:  # noqa: PLR0911 - a table
    kind = node["type"]
    if node.get("serialization") or node.get("strict"):
        return False
    if kind == "float":
        found.floats = True
    if kind == "default" and not _valid_default(node, definitions):
        return False
    if kind in _PARTS:
        return all(_exact(part, found, definitions) for part in _PARTS[kind](node))
    match kind:
        case "literal":
            return all(type(value) in (str, int) for value in node["expected"])
        case "enum":
            return "missing" not in node and all(type(m.value) in (str, int) for m in node["members"])
        case "model":
            return _exact_model(node, found, definitions)
        case "typed-dict":
            return _plain_config(node) and _exact_fields(node, found, definitions)
        case "definition-ref":
            return _exact_definition(node["schema_ref"], found, definitions)
    return kind in _EXACT


_FACTORIES: Final = (list, dict, set, frozenset, tuple, str, int, float, bool, bytes)
"""Factories that return an equal value each time, so that one call shows all of them."""


def _valid_default(node: Schema, definitions: dict[str, Any]) -> bool:
    """Whether the default is one of the type's own values: pydantic takes it unseen (``name: str = None``)."""
    if node.get("on_error", "raise") != "raise":
        return False
    if node.get("validate_default"):
        return True
    if (factory := node.get("default_factory")) is not None and factory not in _FACTORIES:
        return False
    default = node.get("default") if factory is None else factory()
    known = {"type": "definitions", "schema": node["schema"], "definitions": [*definitions.values()]}
    try:
        schema: Any = known if definitions else node["schema"]
        valid = SchemaValidator(schema).validate_python(default)
        return bool(valid == default) and (type(valid) is type(default) or isinstance(valid, float))
    except Exception:  # it does not fit, compares in its own way, or refers to an unknown definition
        return False


_PARTS: Final[dict[str, Callable[[Schema], list[Schema]]]] = {
    "nullable": lambda node: [node["schema"]],
    "default": lambda node: [node["schema"]],
    "list": lambda node: [node.get("items_schema", _ANY)],
    "set": lambda node: [node.get("items_schema", _ANY)],
    "frozenset": lambda node: [node.get("items_schema", _ANY)],
    "tuple": lambda node: node["items_schema"],
    "dict": lambda node: [_key(node.get("keys_schema", _ANY)), node.get("values_schema", _ANY)],
}
"""What a container is made of."""


def _key(node: Schema) -> Schema:
    return node if node["type"] in _KEYS else _ANY


def _exact_definition(ref: str, found: Shape, definitions: dict[str, Any]) -> bool:
    target = definitions.pop(ref, None)  # meanwhile: what contains itself may be nested too deep to be read
    if target is None:
        return False
    exact = _exact(target, found, definitions)
    definitions[ref] = target
    return exact


def _exact_model(node: Schema, found: Shape, definitions: dict[str, Any]) -> bool:
    inner = node["schema"]
    plain = not (node.get("custom_init") or node.get("root_model") or node.get("post_init"))
    if not plain or inner["type"] != "model-fields" or not _plain_config(node):
        return False
    found.classes.append(node["cls"])
    return _exact_fields(inner, found, definitions)


def _exact_fields(node: Schema, found: Shape, definitions: dict[str, Any]) -> bool:
    if node.get("computed_fields") or node.get("extras_schema") or node.get("serialization"):
        return False
    fields = node["fields"].values()
    return not any(name in each for each in fields for name in _RENAMED) and all(
        _exact(each["schema"], found, definitions) for each in fields
    )


def _plain_config(node: Schema) -> bool:
    config = dict(node.get("config") or {})
    if "allow" in (node.get("extra_behavior"), config.get("extra_fields_behavior")):
        return False
    if config.get("ser_json_inf_nan") == "strings":
        del config["ser_json_inf_nan"]
    return config.keys() <= _HARMLESS


def non_finite(value: object) -> bool:
    """Whether it is NaN or infinite."""
    return isinstance(value, float) and not math.isfinite(value)
