"""The texts of the scripts, made of the files in ``lua/``.

The head of a file is the script's signature, and its code calls things by their names:

    -- keys: lanes parked seats...   names of ``Keys``, or the script's own; one with dots is a list, and the last
    -- arguments:                    a line for each, its name and what it is; dots likewise
    --   limit    at most how many
    --   jobs...  id of each
    -- parts: clock park             what it uses of ``lua/parts/``
    -- expects: lanes parked         here a key of another type than ``Keys`` says raises, before anything is written

    keys.parked      keys.seats[i]   #keys.seats      a key; one of a list of keys, and how many they are
    keys.lanes[lane] #keys.lanes                      the lanes by their numbers; whoever has them has them first
    args.limit       first.jobs                       an argument; the place in ARGV where the last ones begin
    lane.alone       lane.of         mark.failed      outcome.failed   what the tables of ``streamq.model`` say; GROUP
    starts.edit[state]                                whether people may ask for that in a state

``keys.parked`` becomes ``KEYS[3]`` in the text, and so on: names cost the server nothing.

A script that ends half-way is not undone, hence ``expects``: it asks for the size of each key, as its type has one.
A part is put where a line names it, once. A function costs the server as much each time it is defined as a look at a
key, so what few calls need is named further down, or in the branch that needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from streamq.model.keys import GROUP, QUEUE_KEYS, Keys
from streamq.model.lanes import ALWAYS, BIRTHS, BY_PRIORITY, LANES
from streamq.model.outcomes import OUTCOMES
from streamq.model.states import STARTS, State

_FOLDER: Final = files("streamq") / "redis" / "lua"
_HEAD: Final = re.compile(r"(?:(?:#!|--).*\n)*")
_KEYS: Final = re.compile(r"^-- keys: (.+)", re.MULTILINE)
_ARGUMENTS: Final = re.compile(r"^-- arguments:\n((?:--   .*\n)+)", re.MULTILINE)
_PARTS: Final = re.compile(r"( *)-- parts: (.+)")
_EXPECTS: Final = re.compile(r" *-- expects: (.+)")
_SIZES: Final = {"hash": "HLEN", "list": "LLEN", "set": "SCARD", "stream": "XLEN", "zset": "ZCARD"}
_NAME: Final = re.compile(
    r"(?<![\w.'])(?:(#?)keys\.(\w+)(?:\[([^\[\]]+)\])?|(args|first|lane|mark|outcome|starts)\.(\w+)|(GROUP)\b)"
)
GATED: Final = {
    name: key.name("").removeprefix("gate")
    for name, key in QUEUE_KEYS.items()
    if key.end.startswith("gate:") and name != "gate"
}
"""How the names of the other keys of the gate end: they are made of the one that is given."""
_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "lane": {
        **{lane.name: str(number) for number, lane in enumerate(LANES, 1)},
        "always": str(max(ALWAYS)),
        "births": str(BIRTHS),
        "of": f"({{ {', '.join(f'{name} = {number}' for name, number in BY_PRIORITY.items())} }})",
    },
    "mark": {kind.name: f"'{kind.mark}'" for kind in OUTCOMES if kind.mark},
    "outcome": {kind.name: f"'{kind.name}'" for kind in OUTCOMES},
    "starts": {
        action: f"({{ {', '.join(f'{state} = true' for state in State if state in states)} }})"
        for action, states in STARTS.items()
    },
}
"""What tables of the model say, by the word before the dot."""


class ScriptText:
    """A script as the server gets it, and what its head says.

    Raises ``ValueError`` where it names a key, an argument or a row of a table that is not there.
    """

    def __init__(self, name: str) -> None:
        self.name, written = name, _read(name)
        head = _HEAD.match(written)[0]  # type: ignore[index]  # an empty head matches, too
        self.keys: list[str] = found[1].split() if (found := _KEYS.search(head)) else []
        """The names of its keys, in order; one that ends in dots stands for several."""
        listed = _ARGUMENTS.search(head)
        self.arguments: list[str] = re.findall(r"^--   (\S+)", listed[1], re.MULTILINE) if listed else []
        """The names of its arguments likewise."""
        shift = len(LANES) - 1 if self.keys[:1] == ["lanes"] else 0
        self._before = {key.strip("."): at and at + shift for at, key in enumerate(self.keys)}
        self.text = "\n".join(map(self._placed, with_parts(written)))

    def _placed(self, code: str) -> str:
        """Code with what its names become."""
        return _NAME.sub(self._place, code)

    def _place(self, found: re.Match[str]) -> str:
        try:
            return self._key(*found.groups()[:3]) if found[2] else self._other(*found.groups()[3:])
        except (LookupError, ValueError):
            raise ValueError(f"{self.name}.lua says {found[0]}, and its head or a table does not") from None

    def _key(self, count: str, name: str, index: str | None) -> str:
        if name not in self._before and name in GATED:  # its name is the gate's with another end
            return f"(KEYS[{self._before['gate'] + 1}]..'{GATED[name]}')"
        before, index = self._before[name], index and self._placed(index)
        if name == "lanes":
            return str(len(LANES)) if count else f"KEYS[{index}]"
        if name in self.keys:
            return f"{count}KEYS[{before + 1}]"
        return f"(#KEYS - {before})" if count else f"KEYS[{before} + {index}]"

    def _other(self, kind: str, name: str, group: str) -> str:
        if group:
            return f"'{GROUP}'"
        if kind == "args":
            return f"ARGV[{self.arguments.index(name) + 1}]"
        return str(self.arguments.index(f"{name}...") + 1) if kind == "first" else _TABLES[kind][name]


def with_parts(text: str, there: set[str] | None = None) -> Iterator[str]:
    """The lines of a text without comments, and those of each part where it is named, unless it is ``there`` already.

    What an indented line names is there for its own block alone.
    """
    there = set() if there is None else there
    for line in text.splitlines():
        if named := _PARTS.match(line):
            within = set(there) if named[1] else there
            for part in named[2].split():
                if part not in within:
                    within.add(part)
                    yield from with_parts(_read(f"parts/{part}"), within)
        elif expected := _EXPECTS.match(line):
            yield from map(_size, expected[1].split())
        elif line and not line.lstrip().startswith("--"):
            yield line


def _size(key: str) -> str:
    """Ask for the size of a key. Raises ``ValueError`` for what is none that has one."""
    if key == "lanes":
        return "for lane = 1, #keys.lanes do redis.call('XLEN', keys.lanes[lane]) end"
    try:
        return f"redis.call('{_SIZES[vars(Keys)[key].type]}', keys.{key})"
    except KeyError:
        raise ValueError(f"-- expects: {key} is no key that has a size") from None


@cache
def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text("utf-8")
