"""Exceptions that a handler's program may have: each breaks something that whoever judges or describes it might ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from streamq import Retry, Snooze


class Text(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class TextThatCancels(Exception):
    def __str__(self) -> str:
        raise asyncio.CancelledError


class TextThatExits(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class NumberAsText(Exception):
    __str__: Any = lambda _: 7


class StrangeString(str):
    def __getitem__(self, _: Any) -> str:
        raise RuntimeError("no part")

    def encode(self, *_: Any) -> bytes:
        raise RuntimeError("no bytes")

    def __len__(self) -> int:
        raise RuntimeError("no length")


class StrangeText(Exception):
    def __str__(self) -> str:
        return StrangeString("strange")


class Repr(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class AnyAttribute(Exception):
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")


class EveryAttribute(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise KeyboardInterrupt(name)


class Notes(Exception):
    @property
    def __notes__(self) -> list[str]:
        raise RuntimeError("no notes")


class OddNotes(Exception):
    def __init__(self) -> None:
        super().__init__("odd notes")
        self.__notes__: Any = [Text(), 7, None, "\udcff"]


class Class(Exception):
    @property
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class PretendsToSnooze(Exception):
    @property
    def __class__(self) -> Any:
        return Snooze


class Traceback(Exception):
    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no traceback")


class Cause(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no cause")


class OddTraceback(Exception):
    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        return "a traceback"


class Named(type):
    @property
    def __name__(cls) -> str:
        raise RuntimeError("no name")

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no module")


class Nameless(Exception, metaclass=Named):
    pass


class RetryWithoutInit(Retry):
    def __init__(self) -> None:
        pass


class SnoozeWithoutInit(Snooze):
    def __init__(self) -> None:
        pass


class RetryByProperty(Retry):
    def __init__(self) -> None:
        pass

    @property
    def after(self) -> float:  # type: ignore[override]
        raise RuntimeError("no time")


def _verdict(kind: type[Retry] | type[Snooze], name: str, value: Any) -> Retry | Snooze:
    verdict = Retry() if kind is Retry else Snooze(0)
    setattr(verdict, name, value)
    return verdict


def _loop_of_causes() -> Exception:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def _deep_group() -> BaseException:
    group: Exception = ValueError("leaf")
    for _ in range(300):
        group = ExceptionGroup("g", [group])
    return group


def _long_chain() -> Exception:
    error: Exception = ValueError(0)
    for number in range(3_000):
        after = ValueError(number)
        after.__context__, error = error, after
    return error


def _syntax(**parts: Any) -> SyntaxError:
    error = SyntaxError("odd")
    for name, value in parts.items():
        setattr(error, name, value)
    return error


def stop_iteration() -> Any:
    """What a plain handler meets that takes the first of nothing."""
    return next(iter([]))


ODD: dict[str, Callable[[], BaseException]] = {
    "text that raises": Text,
    "text that raises a cancellation": TextThatCancels,
    "text that exits": TextThatExits,
    "a number as text": NumberAsText,
    "a str of its own": StrangeText,
    "no repr": Repr,
    "no attribute but its own": AnyAttribute,
    "no attribute at all": EveryAttribute,
    "no notes": Notes,
    "odd notes": OddNotes,
    "no class": Class,
    "another class": PretendsToSnooze,
    "no traceback": Traceback,
    "no cause": Cause,
    "a text as traceback": OddTraceback,
    "no name": Nameless,
    "a name that is too long": lambda: type("N" * 100_000, (Exception,), {})("x"),
    "a loop of causes": _loop_of_causes,
    "a deep group": _deep_group,
    "a wide group": lambda: ExceptionGroup("g", [ValueError("x" * 100)] * 5_000),
    "a group of the base kind": lambda: BaseExceptionGroup("g", [KeyboardInterrupt(), ValueError(1)]),
    "a group of cancellations": lambda: BaseExceptionGroup("g", [asyncio.CancelledError()]),
    "a long chain": _long_chain,
    "a text of 10 MB": lambda: ValueError("x" * 10_000_000),
    "a text of 10 MB of control characters": lambda: ValueError("\x00" * 10_000_000),
    "lone surrogates": lambda: ValueError("\udcff" * 5_000),
    "an argument without text": lambda: ValueError(Text()),
    "args that are odd": lambda: ValueError(*[object()] * 1_000),
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit": lambda: SystemExit(3),
    "GeneratorExit": GeneratorExit,
    "StopIteration": lambda: StopIteration(7),
    "StopAsyncIteration": StopAsyncIteration,
    "CancelledError": asyncio.CancelledError,
    "BaseException": lambda: BaseException("base"),
    "MemoryError": MemoryError,
    "RecursionError": RecursionError,
    "SyntaxError with a number as text": lambda: _syntax(text=7, lineno="x", offset=()),
    "SyntaxError with an offset beyond": lambda: _syntax(text="x", lineno=-1, offset=10**9, end_offset=-5),
    "SyntaxError with odd text": lambda: _syntax(filename=Text(), text="\udcff\x00", lineno=1, offset=1),
    "Retry without its init": RetryWithoutInit,
    "Snooze without its init": SnoozeWithoutInit,
    "Retry by a property that raises": RetryByProperty,
    "Retry after a text": lambda: _verdict(Retry, "after", "soon"),
    "Retry after nan": lambda: _verdict(Retry, "after", float("nan")),
    "Snooze for infinity": lambda: _verdict(Snooze, "seconds", float("inf")),
    "Snooze for an object": lambda: _verdict(Snooze, "seconds", object()),
    "Snooze for a number too long": lambda: _verdict(Snooze, "seconds", -(10**400)),
}
"""By what is odd with them. Each call makes a new one."""


def names() -> Iterator[str]:
    """What is odd, one after another."""
    yield from ODD
