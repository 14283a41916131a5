"""The results file: what a run leaves behind, written and read in this one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from .figures import Curve, Figure, Limit, Measured

Results = dict[str, Measured | str]
"""By scenario: its figures and curves, or one sentence why there are none."""

HEADER: Final = ("at", "commit", "machine", "versions", "configuration")


class NotResults(ValueError):
    """A file that no run wrote. The message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A results file. ``about`` has the time, the commit, ``machine``, ``versions`` and ``configuration``."""

    about: dict[str, Any]
    results: Results


def figures_of(measured: Measured | str) -> list[Figure]:
    """The figures of a scenario, without its curves."""
    return [] if isinstance(measured, str) else [one for one in measured if isinstance(one, Figure)]


def curves_of(measured: Measured | str) -> list[Curve]:
    """The curves of a scenario."""
    return [] if isinstance(measured, str) else [one for one in measured if isinstance(one, Curve)]


def document(saved: Saved) -> dict[str, Any]:
    """As JSON has it: configuration, versions, machine, commit, every sample and every curve."""
    scenarios = {
        scenario: {"error": said} if isinstance(said, str) else _asdict(said)
        for scenario, said in saved.results.items()
    }
    return {**saved.about, "scenarios": scenarios}


def _asdict(measured: Measured) -> dict[str, Any]:
    return {
        "figures": [one.asdict() for one in figures_of(measured)],
        "curves": [one.asdict() for one in curves_of(measured)],
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write figures as JSON: a run's ``document``, or those of a delivery."""
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read(path: Path) -> Saved:
    """Read a results file. Raises ``NotResults``."""
    try:
        content = orjson.loads(path.read_bytes())
        missing = [name for name in (*HEADER, "scenarios") if name not in content]
        if missing:
            raise NotResults(f"{path} is not a results file: it has no {', '.join(missing)}")
        results = {str(name): _measured(found) for name, found in content["scenarios"].items()}
        return Saved({name: content[name] for name in HEADER}, results)
    except OSError as error:
        raise NotResults(f"{path} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise NotResults(f"{path} is not a results file: it is not JSON ({error})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, NotResults):
            raise
        said = f"{path} is not a results file of this version: {type(error).__name__} at {error}"
        raise NotResults(said) from error


def _measured(found: dict[str, Any]) -> Measured | str:
    if "error" in found:
        return str(found["error"])
    return [*map(_figure, found["figures"]), *map(_curve, found.get("curves", []))]


def _figure(found: dict[str, Any]) -> Figure:
    value, bare, ratio = (
        None if found[key] is None else float(found[key]) for key in ("value", "bare", "ratio")
    )
    return Figure(
        str(found["name"]), str(found["unit"]), math.nan if value is None else value, bare, ratio,
        _limit(found["bound"]), _limit(found["aim"]), str(found["note"]),
        {str(side): list(samples) for side, samples in found["samples"].items()},
    )  # fmt: skip


def _limit(found: dict[str, Any] | None) -> Limit | None:
    if found is None:
        return None
    if found["of"] not in {"value", "ratio"} or found["sign"] not in {">=", "<="}:
        raise ValueError(f"a limit of {found['of']} {found['sign']}")
    return Limit(found["of"], found["sign"], float(found["target"]))


def _curve(found: dict[str, Any]) -> Curve:
    series = {
        str(name): [(float(x), float(y)) for x, y in points if x is not None and y is not None]
        for name, points in found["series"].items()
    }
    name, x, y, note = (str(found[key]) for key in ("name", "x", "y", "note"))
    return Curve(name, x, y, series, bool(found["log_x"]), bool(found["log_y"]), note)


def numbers(samples: Sequence[Any]) -> list[float]:
    """Those of the samples that are finite numbers: some scenarios keep notes among them."""
    return [
        float(one)
        for one in samples
        if isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
    ]
