"""The results file: what a run leaves behind, written and read in this one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from .figures import Curve, Figure, Measured

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


@dataclass(frozen=True, slots=True)
class _Scenario:
    error: str | None = None
    figures: list[Figure] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _File:
    """As JSON has it."""

    at: Any
    commit: Any
    machine: Any
    versions: Any
    configuration: Any
    scenarios: dict[str, _Scenario]


_FILE: Final = TypeAdapter(_File)


def figures_of(measured: Measured | str) -> list[Figure]:
    """The figures of a scenario, without its curves."""
    return [] if isinstance(measured, str) else [one for one in measured if isinstance(one, Figure)]


def curves_of(measured: Measured | str) -> list[Curve]:
    """The curves of a scenario."""
    return [] if isinstance(measured, str) else [one for one in measured if isinstance(one, Curve)]


def document(saved: Saved) -> dict[str, Any]:
    """As JSON has it: configuration, versions, machine, commit, every sample and every curve."""
    scenarios = {
        scenario: {"error": said} if isinstance(said, str) else {
            "figures": [one.asdict() for one in figures_of(said)],
            "curves": [asdict(one) for one in curves_of(said)],
        }
        for scenario, said in saved.results.items()
    }  # fmt: skip
    return {**saved.about, "scenarios": scenarios}


def write(path: Path, content: dict[str, Any]) -> None:
    """Write figures as JSON: a run's ``document``, or others."""
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read(path: Path) -> Saved:
    """Read a results file. Raises ``NotResults``."""
    try:
        file = _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise NotResults(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        said = (f"{'.'.join(map(str, one['loc']))} {one['msg']}".strip() for one in error.errors()[:3])
        raise NotResults(f"{path} is not a results file of this version: {'; '.join(said)}") from error
    results: Results = {
        name: [*one.figures, *one.curves] if one.error is None else one.error
        for name, one in file.scenarios.items()
    }
    return Saved({name: getattr(file, name) for name in HEADER}, results)


def numbers(samples: Sequence[Any]) -> list[float]:
    """Those of the samples that are finite numbers: some scenarios keep notes among them."""
    return [
        float(one)
        for one in samples
        if isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
    ]
