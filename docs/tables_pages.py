"""The pages of what the engine has tables of: states, duties, keys and scripts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Final

import streamq.errors
from streamq.duties.upkeep import DUTIES, Share
from streamq.model.explanations import REASONS
from streamq.model.filter import FIELDS, OPERATORS
from streamq.model.filter_text import DEEPEST, LONGEST, TERMS
from streamq.model.keys import APP_KEYS, QUEUE_KEYS, Key
from streamq.model.lanes import LANES
from streamq.model.outcomes import OUTCOMES
from streamq.model.states import MOVES, Move, State

from .source import ROOT, attribute_docs, classes, fenced, page, table, tables


def states() -> str:
    """The states and the moves between them."""
    docs = attribute_docs(classes("streamq/model/states.py")["State"].body)
    rows = [(f"`{state.value}`", docs[state.name]) for state in streamq.State]
    arrows = [
        f"    {start} --> {end}: {move.verb}"
        for move in MOVES
        if move.start != move.end
        for start in (sorted(map(str, move.start)) or ["[*]"])
        for end in (sorted(map(str, move.end)) or ["[*]"])
    ]
    diagram = "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])
    return page(
        "States",
        "A job's state is the place where its envelope lies. A move takes it from one place to another in one "
        "script, so it happens whole or not at all.",
        table(("State", "Meaning"), rows),
        "## Moves",
        "What people may ask for has a word, the same in Python, on the command line and over HTTP: how to "
        "[cancel](../how-to/cancel.md), how to [change](../how-to/change.md). All else happens by itself.",
        "A worker may also fetch by `XREADGROUP` as it is: see "
        "[why it mostly does](../decisions/direct-reads.md).",
        table(("Move", "From", "To", "Asked for as", "Script"), [_move(move) for move in MOVES]),
        diagram,
    )


def filters() -> str:
    """The fields of filters, and how they are compared."""
    rows = [
        (
            f"`{name}`",
            field.meaning,
            " ".join(f"`{each}`" for each in OPERATORS[field.kind]),
            _VALUES[field.kind],
        )
        for name, field in FIELDS.items()
    ]
    return page(
        "Filters",
        "A filter says which jobs are meant, in one language for Python, the command line and HTTP: "
        "[mend a thousand failures](../how-to/failures.md) has examples. A term is a field, a comparison and a value. "
        "Terms side by side, or with `and`, must all hold; `or`, `not` and parentheses do what they say. A value with "
        "blanks or parentheses is in quotation marks, as in JSON.",
        f"A filter has at most {LONGEST:,} characters and {TERMS} terms, and {DEEPEST} levels of parentheses.",
        table(("Field", "What of the job", "Compared by", "Value"), rows),
    )


_VALUES: Final[Mapping[str, str]] = {
    "choice": "a state",
    "number": "a number",
    "duration": "`90`, `1.5s`, `5m`, `24h` or `7d`",
    "text": "text; after `:` without quotation marks `*` stands for any; `~` finds a part in any case",
    "group": "the name of one: after `:` a tenant means all its parts, too, and `*` stands for any; after `=` it alone",
    "words": "text; `:` and `~` find a part in any case",
    "json": "text, a number, `true`, `false` or `null`; in quotation marks always text; of a list, one of its members",
}


def why() -> str:
    """The reasons why a job does not run."""
    rows = [
        (f"`{reason.code}`", ", ".join(f"`{state}`" for state in reason.states), reason.meaning)
        for reason in REASONS
    ]
    return page(
        "Why a job does not run",
        "`await job.why()`, `streamq job why QUEUE ID` and `GET …/jobs/{id}/why` say one of these, with "
        "a sentence that names who, what and when. The first that fits counts: what stands above hides what stands "
        "below. A code keeps its meaning: see [how to find out](../how-to/why.md).",
        table(("Code", "Of a job that is", "It means"), rows),
    )


def _move(move: Move) -> tuple[str, str, str, str, str]:
    states = [", ".join(f"`{state}`" for state in State if state in side) for side in (move.start, move.end)]
    return (
        move.verb,
        states[0] or "(nothing)",
        "(the same)" if move.start == move.end else states[1] or "(nothing)",
        f"`{move.asked}`" if move.asked else "",
        ", ".join(f"`{s}.lua`" for s in move.scripts),
    )


def duties() -> str:
    """The duties of upkeep, and which processes have them."""
    kinds = list(Share)
    rows = [
        (
            f"`{row.name}`",
            row.does,
            row.where,
            row.woken_by,
            *["yes" if kind in row.shares else "" for kind in kinds],
        )
        for row in DUTIES
    ]
    return page(
        "Duties",
        "What is done again and again for the queues, beside running jobs. Each duty is a file of `streamq/duties/` "
        "with one anatomy: `once()` does the work, `rest()` waits for the next turn or until it is woken, `close()` "
        "lets go. The names are those of the loggers. Of each queue one process is chief and one is deputy: see "
        "[recovery](../explanation/recovery.md).",
        table(("Duty", "What it does", "In which queues", "Woken by", *[kind.value for kind in kinds]), rows),
    )


def keys() -> str:
    """The keys, what lies in them, and the scripts that write them."""
    headers = classes("streamq/model/headers.py")["Headers"]
    kinds = {
        node.target.id: ast.unparse(node.annotation)
        for node in headers.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    docs = attribute_docs(headers.body)
    rows = [(f"`{name}`", f"`{kinds[name]}`", text) for name, text in docs.items()]
    return page(
        "Keys and scripts",
        "All keys begin with `STREAMQ_PREFIX` (default `sq`). The layout is part of what a release promises only "
        "as far as [enqueueing from another language](../how-to/other-languages.md) goes. The braces in a name are a "
        "hash tag of Redis Cluster: all keys of a queue live in one slot, so each script is safe there.",
        table(("Key", "Type", "Holds", "How long"), _rows_of_keys("sq:{queue}:", QUEUE_KEYS)),
        "Of all queues:",
        table(("Key", "Type", "Holds", "How long"), _rows_of_keys("sq:", APP_KEYS)),
        "And two channels of a queue (Pub/Sub keeps nothing in the server):",
        table(
            ("Channel", "Type", "Tells", "To whom"), _rows_of_keys("sq:{queue}:", QUEUE_KEYS, channels=True)
        ),
        "## Lanes",
        "A job is delivered from one of these streams. `moved` holds a lane's number and the entry, with a space "
        "between them.",
        table(
            ("Number", "Stream", "Jobs"),
            [(str(at), f"`sq:{{queue}}:{lane.name}`", lane.meaning) for at, lane in enumerate(LANES, 1)],
        ),
        "## Outcomes",
        "What a worker tells of an attempt, and where the job goes. A record begins with the letter of its outcome.",
        table(
            ("Outcome", "Letter", "Goes"),
            [(f"`{row.name}`", f"`{row.mark}`" if row.mark else "", row.goes) for row in OUTCOMES],
        ),
        "## The envelope",
        tables("streamq/model/envelope.py"),
        "Headers, each absent at its default:",
        table(("Header", "Type", "Meaning"), rows),
        "## Scripts",
        "Each is loaded by its SHA and sent in full when the server does not have it. The head of a file is its "
        "signature: its keys and arguments by name, and the parts it uses.",
        *_scripts(),
        "## Parts",
        "What several scripts share lies in `lua/parts/`, one duty each.",
        table(("Part", "Does", "Uses"), list(_parts())),
    )


def _rows_of_keys(of: str, known: Mapping[str, Key], *, channels: bool = False) -> list[tuple[str, ...]]:
    return [
        (f"`{of}{key.end}`", key.type, key.meaning, key.lifetime)
        for key in known.values()
        if (key.type == "channel") is channels
    ]


LUA: Final = ROOT / "streamq" / "redis" / "lua"


def _head(path: Path) -> list[str]:
    """The comments with which a file in Lua begins."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#!")]
    return [
        line.removeprefix("--").removeprefix(" ")
        for line in takewhile(lambda line: line.startswith("--"), lines)
    ]


def _scripts() -> Iterator[str]:
    for path in sorted(LUA.glob("*.lua")):
        yield f"### {path.name}"
        yield fenced("\n".join(_head(path)))


def _parts() -> Iterator[tuple[str, str, str]]:
    for path in sorted(LUA.glob("parts/*.lua")):
        does = " ".join(line for line in _head(path) if not line.startswith("parts: ")).strip()
        uses = re.findall(r"^ *-- parts: (.+)", path.read_text(), re.MULTILINE)
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(" ".join(uses).split()))
        yield f"`{path.stem}`", re.split(r"(?<=\.) ", does)[0], names
