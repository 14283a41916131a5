"""Write the reference pages from the code: ``make docs``. A test fails while one of them is stale."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import click
from pydantic import SecretStr
from streamq_service.http.failures import OF_ENGINE
from streamq_service.settings import ServiceSettings

import streamq.errors
from streamq.cli import main
from streamq.cli.ending import code_of
from streamq.cli.options import Option
from streamq.exits import Exit
from streamq.options import OPTIONS, POLICY, RESERVED
from streamq.scheduling import SCHEDULING

from .full_run import figures
from .http_page import http
from .source import ROOT, attribute_docs, classes, fenced, first_line, page, prose, source, table, tables
from .tables_pages import duties, filters, keys, states, why

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
        table(("Code", "Means"), [(str(code.value), code.meaning) for code in Exit]),
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


# -- Python and errors --------------------------------------------------------------------------------------


def python() -> str:
    """Every public name with its signature and docstring."""
    parts = []
    errors = {**classes("streamq/errors.py"), **classes("streamq/verdicts.py")}
    for name in streamq.__all__:
        if name in errors or name in TABLES:
            continue
        kind = getattr(streamq, name)
        parts += [f"## {name}", *_documented(_written(kind))]
        if isinstance(kind, type):
            for inner in kind.__mro__[1:]:  # what has a name of its own tells its methods there
                if inner.__module__.startswith("streamq.") and inner.__name__ not in streamq.__all__:
                    parts += _methods(_written(inner))
    return page(
        "Python",
        "Everything below is imported from `streamq`; other modules are not part of the promise. The errors have "
        "[their own page](errors.md), the settings [theirs](settings.md).",
        "## Options of enqueue",
        prose(ast.get_docstring(classes("streamq/options.py")["EnqueueOptions"]) or ""),
        _options_of(OPTIONS.values(), classes("streamq/options.py")["EnqueueOptions"]),
        f"Reserved for options to come: {', '.join(f'`{name}`' for name in RESERVED)}. No parameter of a task with "
        "named fields bears the name of an option, reserved ones included. `streamq.OPTIONS` is this table, "
        "`streamq.RESERVED` holds the reserved names.",
        "## Arguments of app.task",
        table(
            ("Argument", "Default", "Meaning"),
            [(f"`{each.name}`", f"`{each.default!r}`", each.help) for each in POLICY.values()],
        ),
        "`streamq.KEEPING` is the table of what is said of a retention, without `keep_` before its names.",
        "## Options of a schedule",
        prose(ast.get_docstring(classes("streamq/scheduling.py")["ScheduleOptions"]) or ""),
        _options_of(SCHEDULING.values(), classes("streamq/scheduling.py")["ScheduleOptions"]),
        "`calendar` is a [`Calendar`](#calendar). `streamq.SCHEDULING` is this table.",
        *parts,
    )


def _written(kind: Any) -> Any:
    """The source of a class or a function."""
    body = source(kind.__module__.replace(".", "/") + ".py").body
    return next(node for node in body if getattr(node, "name", "") == kind.__name__)


TABLES: Final = ("KEEPING", "EnqueueOptions", "OPTIONS", "RESERVED", "SCHEDULING", "ScheduleOptions")
"""Public names that are told as a table."""


def _options_of(options: Iterable[streamq.Option], types: ast.ClassDef) -> str:
    """A table of options, with their types as a `TypedDict` has them."""
    kinds = {
        ast.unparse(node.target): ast.unparse(node.annotation).removesuffix(" | None")
        for node in types.body
        if isinstance(node, ast.AnnAssign)
    }
    rows = [(f"`{each.name}`", f"`{kinds[each.name]}`", _allowed(each), each.help) for each in options]
    return table(("Option", "Type", "Allowed", "Meaning"), rows)


def _allowed(option: streamq.Option) -> str:
    """What an option may be, in words."""
    low = f"above {option.low:g}" if option.above else f"from {option.low:,g}"
    days = f"{option.high / 86_400:g} days"
    return {
        "duration": f"seconds, a `timedelta` or text such as `5m`; {low}, at most {days}",
        "time": "with a time zone",
        "moment": f"as `delay`, {low}, at most {days}; or as `at`",
        "choice": ", ".join(f"`{choice}`" for choice in option.choices),
        "whole number": f"{low} to {option.high:,.0f}",
        "text": f"{option.low:g} to {option.high:g} characters on one line",
        "group": f"{low} to {option.high:g} characters without blanks, and one colon at most",
        "unique": "a `Unique`; on the command line JSON or `until=started,conflict=replace`, over HTTP an object",
    }[option.form]


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
    yield from _methods(node)


def _methods(node: Any) -> Iterator[str]:
    for method in node.body:
        if _is_public_method(method):
            yield f"**`{_signature(method)}`**"
            yield prose(ast.get_docstring(method) or "")


INSIDE: Final = {
    "add_schedule", "add_task", "add_to_record", "bind", "carried", "declare", "decode", "decoded", "encode_or_default",
    "encoded", "equals", "given", "has_times_of", "is_older_than", "masked_texts", "parse_result", "payload_of", "send",
    "send_many", "with_settings",
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
    written, verdicts = classes("streamq/errors.py"), classes("streamq/verdicts.py")
    rows = []
    for name, node in written.items():
        kind = getattr(streamq.errors, name)
        if issubclass(kind, streamq.StreamqError):
            code = str(code_of(kind.__new__(kind)).value)
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
            for part in (f"## {name}", *_documented({**written, **verdicts}[name]))
        ],
    )


PAGES: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings,
    "cli.md": cli,
    "states.md": states,
    "filters.md": filters,
    "why.md": why,
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
