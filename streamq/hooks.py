"""Hooks: functions of the program that a task's policy names. They are called where nothing can be awaited."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isclass, iscoroutinefunction, signature
from typing import Any

from streamq.model.shown import as_given


def wrong_hook(name: str, form: str) -> Callable[[Any], str]:
    """A check that a value is a plain function with the parameters of ``form``, which shows one.

    It returns what is wrong, as a sentence, and an empty text when nothing is.
    """

    def wrong(value: Any) -> str:
        try:
            signature(value).bind(*[None] * (form.count(",") + 1))
            fits = not (iscoroutinefunction(value) or isclass(value))
        except (TypeError, ValueError):
            fits = False
        return "" if fits else f"{name}={as_given(value)} is not possible: use a plain function, as {form}"

    return wrong
