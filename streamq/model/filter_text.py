"""The reader of filters: from text to ``model.filter``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple, NoReturn

from streamq.durations import seconds_of
from streamq.errors import meant
from streamq.model import codec
from streamq.model.filter import FIELDS, OPERATORS, All, AnyOf, Filter, Node, Not, Term
from streamq.model.states import State
from streamq.noun_errors import InvalidFilter

LONGEST: Final = 2_000
"""Characters of a filter: far more than anybody types, and one is kept with its operation."""
TERMS: Final = 100
"""Comparisons of a filter: each is made once for every job that is looked at."""
DEEPEST: Final = 20
"""Parentheses within each other: the reader calls itself for each."""

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<mark>[()])
  | (?P<field>[A-Za-z_][\w-]*(?:\.(?:[\w-]+|"(?:[^"\\]|\\.)*"))*)\s*(?P<operator>!=|<=|>=|[:=<>~])
  | (?P<word>[A-Za-z]+)(?![^\s()])
    )""",
    re.VERBOSE,
)
_VALUE: Final = re.compile(r"""\s*(?P<quoted>"(?:[^"\\]|\\.)*")|\s*(?P<bare>[^\s()"]+)""")
_SEGMENT: Final = re.compile(r'\.([\w-]+|"(?:[^"\\]|\\.)*")')
_EQUALS: Final = ("=", ":", "!=")


class _Token(NamedTuple):
    kind: str
    """``(``, ``)``, ``and``, ``or``, ``not``, ``term``, or empty at the end."""
    place: int
    term: Term | None = None


def parse_filter(text: Any) -> Filter:
    """Read a filter. Raises ``InvalidFilter`` with the place of what is wrong in it."""
    if not isinstance(text, str):
        raise InvalidFilter(str(type(text)), 0, "a filter is text")
    return _parsed(text)


def narrowed(text: Any, state: State | None, task: str | None) -> Filter:
    """Read a filter that may be empty where a state or a task is asked for: the jobs must be in it, and of it, too."""
    terms: list[Node] = [] if state is None else [Term("state", (), "=", state.value)]
    terms += [] if task is None else [Term("task", (), "=", task)]
    if text != "" or not terms:
        terms.append(parse_filter(text).node)
    return Filter(text, All(tuple(terms)))


@lru_cache(256)  # an operation reads its filter again for each of its steps
def _parsed(text: str) -> Filter:
    if len(text) > LONGEST:
        raise InvalidFilter(
            text, LONGEST, f"it has {len(text):,} characters, at most {LONGEST:,} are possible"
        )
    return Filter(text, _Reader(text).whole())


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.terms, self.depth = text, 0, 0, 0
        self.token = self._next()

    def whole(self) -> Node:
        if not self.token.kind:
            self._wrong("it is empty: write at least one term, such as state:failed")
        node = self._any()
        if self.token.kind:
            self._wrong("this parenthesis closes none")
        return node

    def _any(self) -> Node:
        parts = [self._all()]
        while self.token.kind == "or":
            self._step()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Node:
        parts = [self._one()]
        while self.token.kind in ("and", "not", "(", "term"):
            if self.token.kind == "and":
                self._step()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Node:
        token = self.token
        if token.kind == "term" and token.term is not None:
            self._step()
            return token.term
        if token.kind not in ("not", "("):
            self._wrong("a term is missing here, such as state:failed")
        self.depth += 1
        if self.depth > DEEPEST:
            self._wrong(f"it is nested more than {DEEPEST} levels deep")
        self._step()
        if token.kind == "not":
            node: Node = Not(self._one())
        else:
            node = self._any()
            if self.token.kind != ")":
                self._wrong("a closing parenthesis is missing here")
            self._step()
        self.depth -= 1
        return node

    def _step(self) -> None:
        self.token = self._next()

    # -- tokens ---------------------------------------------------------------------------------------------

    def _next(self) -> _Token:
        rest = self.text[self.at :]
        start = self.at + len(rest) - len(rest.lstrip())
        if start == len(self.text):
            return _Token("", start)
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            self._wrong("this is no term: write field:value, such as state:failed", start)
        self.at = found.end()
        if found["field"]:
            return _Token("term", start, self._term(found["field"], found["operator"], start))
        word = (found["mark"] or found["word"]).lower()
        if word not in ("(", ")", "and", "or", "not"):
            self._wrong("this is no term: write field:value, such as state:failed", start)
        return _Token(word, start)

    def _term(self, name: str, operator: str, start: int) -> Term:
        self.terms += 1
        if self.terms > TERMS:
            self._wrong(f"it has more than {TERMS} terms", start)
        field, path = self._field(name, start)
        kind = FIELDS[field].kind
        if operator not in OPERATORS[kind]:
            self._wrong(f"{field} is compared by {' '.join(OPERATORS[kind])}", self.at - len(operator))
        found = _VALUE.match(self.text, self.at)
        if found is None:
            self._wrong("a value is missing here", self.at)
        place, self.at = found.start("quoted" if found["quoted"] else "bare"), found.end()
        text = self._unquoted(found["quoted"], place) if found["quoted"] else found["bare"]
        value = self._value(field, operator, text, place, quoted=bool(found["quoted"]))
        return Term(field, path, operator, value, bool(found["quoted"]))

    def _field(self, name: str, start: int) -> tuple[str, tuple[str, ...]]:
        if name in FIELDS:
            return name, ()
        field = name.partition(".")[0]
        if field in FIELDS and FIELDS[field].kind == "json":
            segments = _SEGMENT.findall(name, len(field))
            return field, tuple(self._unquoted(s, start) if s.startswith('"') else s for s in segments)
        hint = meant(name, FIELDS, f"there are {', '.join(FIELDS)}")
        raise InvalidFilter(self.text, start, f"there is no field {name[:50]!r}: {hint}")

    def _value(self, field: str, operator: str, text: str, place: int, *, quoted: bool) -> Any:
        kind = FIELDS[field].kind
        if kind == "choice" and text not in (states := [state.value for state in State]):
            self._wrong(f"{text[:50]!r} is not a state: {meant(text, states, ', '.join(states))}", place)
        if kind == "duration":
            try:
                return seconds_of(text)
            except ValueError:
                self._wrong("this is no duration: write 90, 1.5s, 5m, 24h or 7d", place)
        if kind == "number" or (kind == "json" and operator not in (*_EQUALS, "~")):
            number = _number(text)
            if number is None:
                self._wrong("this is no number", place)
            return number
        if kind == "json" and operator in _EQUALS:
            return _json(text, quoted=quoted)
        return text

    def _unquoted(self, text: str, place: int) -> str:
        try:
            return str(codec.loads(text.encode()))
        except (codec.JSONDecodeError, UnicodeEncodeError):
            self._wrong("this is no text in quotation marks: write it as JSON does", place)

    def _wrong(self, why: str, place: int | None = None) -> NoReturn:
        raise InvalidFilter(self.text, self.token.place if place is None else place, why)


def _number(text: str) -> float | None:
    if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text):
        return None
    return float(text) if "." in text else int(text)


def _json(text: str, *, quoted: bool) -> tuple[Any, ...]:
    """What a value may stand for: a bare word for a text, and for the number or the word that JSON has for it."""
    if quoted:
        return (text,)
    words: dict[str, Any] = {"true": True, "false": False, "null": None}
    number = _number(text)
    return (text, words[text]) if text in words else (text,) if number is None else (text, number)
