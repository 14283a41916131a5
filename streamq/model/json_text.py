"""A payload, or an array of many, that is JSON text already."""

from __future__ import annotations

from collections.abc import Iterator

from streamq.errors import UsageError
from streamq.model import codec
from streamq.model.shown import as_given


class JSONText:
    """A payload that is JSON text already: ``enqueue(queue, task, JSONText('{"to": "Ada"}'))``.

    It is read by the task's type as a worker reads it, so what JSON cannot say otherwise (times, decimals, whole
    numbers above 64 bits) comes through, and aliases and names of fields both count. A task reads it once: what
    ``Task.encode`` made of it is what ``enqueue`` sends. The text of an array is many payloads for ``enqueue_many``.
    """

    __slots__ = ("encoded", "text")

    def __init__(self, text: str | bytes) -> None:
        self.text = text
        self.encoded: tuple[object, str | bytes, bytes] | None = None
        """The task that has read it, which text, and what it made of it; ``None`` before."""

    def __repr__(self) -> str:
        return f"JSONText({as_given(self.text)})"

    def __iter__(self) -> Iterator[JSONText]:
        """The items of an array. Raises ``UsageError`` for what is none, and where one of them cannot be written."""
        try:
            items = codec.exact(self.text)
            if type(items) is list:
                return iter([JSONText(codec.written(item, "constants")) for item in items])
        except (ValueError, TypeError) as error:  # no JSON, half a character in it, or nested too deep
            raise UsageError(f"{self!r} cannot be read: {error}") from None
        raise UsageError(f"{self!r} is no array: give many payloads as the items of one")
