"""Write the reference pages from the code: ``make docs``. A test fails while one of them is stale."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import click
from pydantic import SecretStr
from streamq_service.api.jobs import JobRequest, JobsQuery
from streamq_service.api.messages import SmsRequest
from streamq_service.app import ROUTES
from streamq_service.http.failures import OF_ENGINE
from streamq_service.http.problems import OF_ANY_PATH
from streamq_service.http.route import AnyRoute
from streamq_service.settings import ServiceSettings

import streamq.errors
from streamq.cli import main
from streamq.cli.ending import CODES, code_of
from streamq.cli.options import Option
from streamq.duties.upkeep import DUTIES, Share
from streamq.model.keys import APP_KEYS, QUEUE_KEYS, Key
from streamq.model.lanes import LANES
from streamq.model.outcomes import OUTCOMES
from streamq.model.states import MOVES, Move, State
from streamq.options import OPTIONS, POLICY, RESERVED

from .full_run import figures
from .source import ROOT, attribute_docs, classes, fenced, first_line, page, prose, source, table, tables

REFERENCE: Final = ROOT / "docs" / "reference"


# -- settings -----------------------------------------------------------------------------------------------


def settings() -> str:
    """Every setting with its default."""
    engine = set(streamq.Settings.model_fields)
    return page(
        "Settings",
        "Each setting is read when a process starts: from the environment, or else from `.env` of the folder one is "
        "in. An argument of `App(…)` wins over them, and an option on the command line over that. An empty variable "
        "counts as unset. One in seconds takes a number, or a duration such as `250ms`, `5m` or `24h`. "
        "A secret may lie in a file that its variable with `_FILE` at the end names. "
        "[`.env.example`](../../.env.example) lists the same settings with their units, ready to be copied.",
        "## Engine",
        _settings_table(ServiceSettings, engine),
        "## Service",
        _settings_table(ServiceSettings, set(ServiceSettings.model_fields) - engine),
    )


def _settings_table(kind: type[streamq.Settings], names: set[str]) -> str:
    rows = []
    for name, field in kind.model_fields.items():
        if name in names:
            variables = " or ".join(f"`{variable}`" for variable in kind.variables()[name])
            rows.append((variables, _default(field.default), field.description or ""))
    return table(("Variable", "Default", "Meaning"), rows)


def _default(value: Any) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return "" if text in (None, "", ()) else f"`{text:g}`" if isinstance(text, float) else f"`{text}`"


# -- command line -------------------------------------------------------------------------------------------


def cli() -> str:
    """Every command with its options."""
    context = click.Context(main, info_name="streamq")
    commands = [(name, main.get_command(context, name)) for name in main.list_commands(context)]
    parts = [part for name, command in commands if command for part in _command(f"streamq {name}", command)]
    return page(
        "Command line",
        "`APP` is `module:attribute`, as in `shop:app`; without it `STREAMQ_APP` counts, and without that, for `up` "
        "and `api` alone, the messaging service's own app. A scheduler and a reclaimer need none. Durations are "
        "written as `90` (seconds), `1.5s`, `250ms`, `5m`, `24h` or `7d`. A variable stands for each option, and `1` "
        "sets a switch; what is typed wins.",
        "## Exit codes",
        table(("Code", "Means"), [(str(code), meaning) for code, meaning in CODES.items()]),
        *parts,
    )


def _command(name: str, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _command(f"{name} {inner.name}", inner)
        return
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *map(_argument, arguments)])
    text, _, example = inspect.cleandoc(command.help or "").partition("\b")
    yield f"## {name}"
    yield prose(text.strip())
    yield fenced(f"{usage}\n\n{example.strip(chr(10))}")
    if options:
        yield table(("Option", "Variable", "Meaning"), [_option(name, option) for option in options])


def _argument(argument: click.Argument) -> str:
    kind = argument.type
    name = "{" + "|".join(map(str, kind.choices)) + "}" if isinstance(kind, click.Choice) else ""
    name = name or (argument.name or "").upper()
    return name if argument.required else f"[{name}]"


def _option(command: str, option: click.Option) -> tuple[str, str, str]:
    kind = option.type
    if isinstance(kind, click.Choice):
        shape = " " + "|".join(map(str, kind.choices))
    else:
        shape = "" if option.is_flag else f" {option.metavar or kind.name.split()[0].upper()}"
    default = f" Default: {option.default}." if option.show_default is True else ""
    meaning = re.sub(r"\s*\[default: (.+?)\]", r" Default: \1.", option.help or "")
    twin = option.envvar or f"{command} {option.name}".replace(" ", "_").upper()
    variable = f"`{twin}`" if option.envvar or isinstance(option, Option) else ""
    return f"`{option.opts[0]}{shape}`", variable, meaning + default


# -- states, keys, scripts ----------------------------------------------------------------------------------


def states() -> str:
    """The states and the moves between them."""
    docs = attribute_docs(classes("streamq/model/states.py")["State"].body)
    rows = [(f"`{state.value}`", docs[state.name]) for state in streamq.State]
    arrows = [
        f"    {start} --> {end}: {move.verb}"
        for move in MOVES
        for start in (sorted(map(str, move.start)) or ["[*]"])
        for end in (sorted(map(str, move.end)) or ["[*]"])
    ]
    diagram = "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])
    return page(
        "States",
        "A job's state is the place where its envelope lies. A move takes it from one place to another in one "
        "script, so it happens whole or not at all.",
        table(("State", "Meaning"), rows),
        "No move of this version leads to `held`, `cancelled` or `expired`: see "
        "[what is not there yet](../explanation/not-yet.md).",
        "## Moves",
        "A worker may also fetch by `XREADGROUP` as it is: see "
        "[why it mostly does](../decisions/direct-reads.md).",
        table(("Move", "From", "To", "Script"), [_move(move) for move in MOVES]),
        diagram,
    )


def _move(move: Move) -> tuple[str, str, str, str]:
    states = [", ".join(f"`{state}`" for state in State if state in side) for side in (move.start, move.end)]
    return (
        move.verb,
        states[0] or "(nothing)",
        states[1] or "(nothing)",
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


# -- HTTP ---------------------------------------------------------------------------------------------------


def http() -> str:
    """The routes, what they take and what they answer."""
    rows = [_route(route) for route in ROUTES]
    return page(
        "HTTP",
        "JSON in `snake_case` (the fields of a message keep the names their senders use); times are RFC 3339 in UTC. "
        "The paths stand below `STREAMQ_BASE_PATH`, by default "
        "none. Every answer has an `X-Request-Id`; errors carry it too.",
        table(("Method", "Path", "Scope", "Does", "Answers"), rows),
        "`Prefer: wait=N` (1 to 60 seconds) on a route that makes a job waits for its end: 200 with the finished "
        "job, or 202 with the job as it is when the time is over. `Idempotency-Key` on a request is refused with "
        "422: it is [not there yet](../explanation/not-yet.md).",
        "## Keys and scopes",
        tables("service/http/auth.py"),
        "Send `Authorization: Bearer KEY`. What changes something says `Content-Type: application/json`, even without "
        "a body: a form of a web page cannot. `GET /ready` tells more than its status only to a key with `read`.",
        "Without `STREAMQ_API_KEYS` the API listens on loopback only, and answers only this machine; `/health` and "
        "`/ready` are answered to all. [Security](../security.md) has the whole model.",
        tables("service/http/local.py"),
        *_bodies(),
        "## Live counts",
        tables("service/api/events.py"),
        "## Errors",
        "Every error is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `code`, `detail` and "
        "`request_id`; more members are named where they come. What an outage says of its server is in the log, with "
        "the request's id; a caller is told its kind alone.",
        table(("Status", "Code", "It means that"), _problems()),
    )


def _route(route: AnyRoute) -> tuple[str, str, str, str, str]:
    scope = route.scope.name.lower() if route.scope else "open"
    answers = " ".join(str(answer.status) for answer in route.answers)
    return route.method, f"`{route.path}`", scope, route.summary, answers


def _problems() -> list[tuple[str, str, str]]:
    """Every problem that a route or a path may answer."""
    kinds = {kind for route in ROUTES for kind in (*route.all_problems, *OF_ANY_PATH)}
    return [(str(kind.status), f"`{kind.code}`", kind.meaning) for kind in sorted(kinds)]


def _bodies() -> Iterator[str]:
    for title, model in (
        ("A text message", SmsRequest),
        ("A job", JobRequest),
        ("The query of a list of jobs", JobsQuery),
    ):
        schema = model.model_json_schema()
        required = schema.get("required", ())
        rows = [
            (f"`{name}`", "yes" if name in required else "", _kind(field, schema.get("$defs", {})))
            for name, field in schema["properties"].items()
        ]
        yield f"## {title}"
        yield prose(inspect.getdoc(model) or "")
        yield table(("Field", "Required", "Type"), rows)


JSON_TYPES: Final = {"string": "string", "integer": "whole number", "number": "number", "object": "object"}


def _kind(field: dict[str, Any], kinds: dict[str, Any]) -> str:
    """A field's type in words: those of its schema, or what its bounds say."""
    field = next((one for one in field.get("anyOf", ()) if one.get("type") != "null"), field)
    field = kinds[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f'`"{field["const"]}"`'
    if "type" not in field:
        return "any JSON value"
    if "description" in field:
        return str(field["description"])
    low, high = (field.get(f"{end}imum", field.get(f"{end}Length")) for end in ("min", "max"))
    bounds = f"{low} to {high}" if low is not None else f"at most {high}" if high is not None else ""
    if field["type"] == "string":
        return f"string of {bounds} characters" if bounds else "string"
    return JSON_TYPES[field["type"]] + (f", {bounds}" if bounds else "")


# -- Python and errors --------------------------------------------------------------------------------------


def python() -> str:
    """Every public name with its signature and docstring."""
    parts = []
    errors = classes("streamq/errors.py")
    for name in streamq.__all__:
        if name in errors or name in TABLES:
            continue
        module = getattr(streamq, name).__module__.replace(".", "/") + ".py"
        node = next(n for n in source(module).body if getattr(n, "name", "") == name)
        parts += [f"## {name}", *_documented(node)]
    return page(
        "Python",
        "Everything below is imported from `streamq`; other modules are not part of the promise. The errors have "
        "[their own page](errors.md), the settings [theirs](settings.md).",
        "## Options of enqueue",
        prose(ast.get_docstring(classes("streamq/options.py")["EnqueueOptions"]) or ""),
        table(("Option", "Type", "Allowed", "Meaning"), list(map(_option_of_enqueue, OPTIONS.values()))),
        f"Reserved for options to come: {', '.join(f'`{name}`' for name in RESERVED)}. No parameter of a task with "
        "named fields bears the name of an option, reserved ones included. `streamq.OPTIONS` is this table, "
        "`streamq.RESERVED` holds the reserved names.",
        "## Arguments of app.task",
        table(
            ("Argument", "Default", "Meaning"),
            [(f"`{each.name}`", f"`{each.default!r}`", each.help) for each in POLICY.values()],
        ),
        *parts,
    )


TABLES: Final = ("EnqueueOptions", "OPTIONS", "RESERVED")
"""Public names that are told as a table."""


def _option_of_enqueue(option: streamq.Option) -> tuple[str, str, str, str]:
    kind = next(
        ast.unparse(n.annotation)
        for n in classes("streamq/options.py")["EnqueueOptions"].body
        if isinstance(n, ast.AnnAssign) and ast.unparse(n.target) == option.name
    ).removesuffix(" | None")
    return f"`{option.name}`", f"`{kind}`", _allowed(option), option.help


def _allowed(option: streamq.Option) -> str:
    """What an option may be, in words."""
    low = f"above {option.low:g}" if option.above else f"from {option.low:,g}"
    match option.form:
        case "duration":
            return (
                f"seconds, a `timedelta` or text such as `5m`; {low}, at most {option.high / 86_400:g} days"
            )
        case "time":
            return "with a time zone"
        case "choice":
            return ", ".join(f"`{choice}`" for choice in option.choices)
        case "whole number":
            return f"{low} to {int(option.high):,}"
        case "text":
            return f"{option.low:g} to {option.high:g} characters on one line"


def _documented(node: Any) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield fenced(_signature(node))
        yield prose(ast.get_docstring(node) or "")
        return
    init = next((n for n in node.body if getattr(n, "name", "") == "__init__"), None)
    made_for_you = (ast.get_docstring(node) or "").startswith("Made by")
    if init is not None and not made_for_you:
        yield fenced(_signature(init).replace("__init__", node.name).removesuffix(" -> None"))
    yield prose(ast.get_docstring(node) or "")
    fields = [
        n for n in node.body if isinstance(n, ast.AnnAssign) and not ast.unparse(n.target).startswith("_")
    ]
    docs = attribute_docs(node.body)
    if fields and node.name != "Settings":
        rows = [(f"`{ast.unparse(n)}`", first_line(docs.get(ast.unparse(n.target), ""))) for n in fields]
        yield table(("Attribute", "Meaning"), rows)
    for method in node.body:
        if _is_public_method(method):
            yield f"**`{_signature(method)}`**"
            yield prose(ast.get_docstring(method) or "")


INSIDE: Final = {
    "add_task", "bind", "carried", "decode", "given", "parse_result", "payload_of", "send", "send_many",
    "with_settings",
}  # fmt: skip
"""Methods that the engine alone calls."""


def _is_public_method(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and node.name not in INSIDE
        and bool(ast.get_docstring(node))
    )


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    if any(ast.unparse(decorator) in ("property", "cached_property") for decorator in node.decorator_list):
        return f"{node.name}: {ast.unparse(node.returns) if node.returns else 'Any'}"
    kind = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    arguments = re.sub(r"^(self|cls)(, )?", "", ast.unparse(node.args))
    arguments = re.sub(r"(: [\w\[\], |.]+)=", r"\1 = ", arguments)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{kind}{node.name}({arguments}){returns}"


def errors() -> str:
    """The error tree, and how each is told apart."""
    written = classes("streamq/errors.py")
    rows = []
    for name, node in written.items():
        kind = getattr(streamq.errors, name)
        if issubclass(kind, streamq.StreamqError):
            code = str(code_of(kind.__new__(kind)))
            rows.append((f"`{name}`", f"`{kind.code}`", code, first_line(ast.get_docstring(node))))
    tree, _, rest = tables("streamq/errors.py").removeprefix("```text\n").partition("\n\n")
    return page(
        "Errors",
        fenced(tree),
        prose(rest.removesuffix("```").strip()),
        table(("Class", "Code", "Exit code", "Meaning"), rows),
        "Over HTTP they are problems: the first class that fits counts, with the error's own code. Any other is 500.",
        table(
            ("Class", "Status", "It means that"),
            [(f"`{of.__name__}`", str(k.status), k.meaning) for of, k in OF_ENGINE.items()],
        ),
        *[
            part
            for name in ("FieldError", "InvalidPayload", "OutcomeUnknown", "Retry", "Fail", "Snooze")
            for part in (f"## {name}", *_documented(written[name]))
        ],
    )


PAGES: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings,
    "cli.md": cli,
    "states.md": states,
    "keys.md": keys,
    "duties.md": duties,
    "http.md": http,
    "python.md": python,
    "errors.md": errors,
    "figures.md": figures,
}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (REFERENCE / name).write_text(write())
