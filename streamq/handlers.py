"""Reading a handler's declaration: its name, its parameters, and how it is called."""

from __future__ import annotations

import collections.abc
import functools
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from types import UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Never,
    NoReturn,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import Field

from streamq.errors import ConfigurationError
from streamq.options import NAMES, OPTIONS

_NOTHING: Final = (None, type(None), NoReturn, Never)
_OWN: Final = ("self", "cls")
_AWAITED: Final = (collections.abc.Awaitable, collections.abc.Coroutine)


@dataclass(frozen=True, slots=True)
class Reading:
    """A handler's declaration."""

    name: str
    is_async: bool
    """Whether calling it returns a coroutine: of the callable itself, not of a function that it wraps."""
    fields: dict[str, inspect.Parameter]
    """Its parameters by name, its context not among them."""
    hints: dict[str, Any]
    context: str | None
    """The parameter that takes the context."""

    @property
    def returns(self) -> Any:
        """The declared type of its result: ``Any`` without one, ``None`` when there is none."""
        declared = self.hints.get("return", Any)
        if get_origin(declared) in _AWAITED:  # a plain function that returns a coroutine
            declared = get_args(declared)[-1]
        return None if declared in _NOTHING else declared


def read(handler: Any, context: type) -> Reading:
    """Read a handler. Raises ``ConfigurationError`` for what cannot be run or cannot be given its payload."""
    inner = _inner(handler)
    if not callable(inner):
        hint = f". Did you mean app.task(name={handler!r})?" if isinstance(handler, str) else ""
        raise ConfigurationError(
            f"{handler!r} cannot be called: a handler is a function, or an object with __call__{hint}"
        )
    function = inspect.isroutine(inner) or inspect.isclass(inner)
    called = inner if function else type(inner).__call__
    name: str = getattr(inner, "__name__", "") or type(inner).__name__
    _refuse(called, name)
    try:
        parameters = inspect.signature(handler).parameters
    except ValueError as error:
        raise ConfigurationError(
            f"{name!r} does not tell its parameters: wrap it in a function ({error})"
        ) from None
    hints = get_type_hints(called, include_extras=True)
    own = _context_of(parameters, hints, context, name)
    bound = handler.keywords if isinstance(handler, functools.partial) else {}
    fields = {each: p for each, p in parameters.items() if each != own and each not in bound}
    is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)
    return Reading(name, is_async, fields, hints, own)


def _context_of(names: Iterable[str], hints: dict[str, Any], context: type, handler: str) -> str | None:
    """The parameter that takes the context: also one that may be left out, where the handler is called by hand."""
    wrapped = (Union, UnionType, Annotated)
    found = [
        name
        for name in names
        if (declared := hints.get(name)) is context
        or (get_origin(declared) in wrapped and context in get_args(declared))
    ]
    if len(found) > 1:
        raise ConfigurationError(f"{handler!r} has {len(found)} parameters for its context: use one")
    return found[0] if found else None


def _inner(handler: Any) -> Any:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return handler


def _refuse(called: Any, name: str) -> None:
    if inspect.isclass(called):
        raise ConfigurationError(
            f"{name!r} is a class: calling it makes an object and runs nothing. Give a method of an object, or an "
            "object with __call__"
        )
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise ConfigurationError(
            f"{name!r} is a generator: calling it runs nothing of its body. Collect what it yields and return that, "
            "or enqueue a job for each"
        )


def check_fields(reading: Reading, task: str) -> None:
    """Raise ``ConfigurationError`` for parameters that a payload cannot be given to by name."""
    for name, parameter in reading.fields.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigurationError(
                f"parameter {name!r} of task {task!r} has no name to send: use plain parameters"
            )
        if name in _OWN and name not in reading.hints:  # of a method nobody annotates it
            raise ConfigurationError(
                f"parameter {name!r} of task {task!r} takes the object of a method, and a worker has none: declare a "
                "function, or the method of an object, as app.task(mailer.send)"
            )
        # A single one is given by place: with a default, `enqueue(delay=5)` would send that instead.
        if name in NAMES and (len(reading.fields) > 1 or parameter.default is not parameter.empty):
            what = "an option" if name in OPTIONS else "reserved for an option"
            raise ConfigurationError(f"parameter {name!r} of task {task!r} is {what} of enqueue: rename it")


def member(declared: Any, parameter: inspect.Parameter) -> Any:
    """The type of a member of the payload, of a parameter's declared type; one with a default may be left out."""
    if parameter.default is parameter.empty:
        return declared
    return NotRequired[Annotated[declared, Field(default=parameter.default)]]
