"""The results file: what a run leaves behind, written and read in this one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from .bounds import judged
from .figures import Curve, Figure, Measured


class NotResults(ValueError):
    """A file that no run wrote. The message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What came out of one: figures and curves, or one sentence why there are none."""

    error: str | None = None
    figures: list[Figure] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Results:
    """A results file: when, of which commit, where and how it was measured, and the scenarios by their names."""

    at: Any
    commit: Any
    machine: Any
    versions: Any
    configuration: Any
    scenarios: dict[str, Scenario]


_FILE: Final = TypeAdapter(Results)


def scenario(name: str, measured: Measured) -> Scenario:
    """What it has measured, judged by the bounds."""
    figures = [judged(name, one) for one in measured if isinstance(one, Figure)]
    return Scenario(None, figures, [one for one in measured if isinstance(one, Curve)])


def write(path: Path, content: Any) -> None:
    """Write figures as JSON: those of a run with every sample and every curve, or others."""
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read(path: Path) -> Results:
    """Read a results file. Raises ``NotResults``."""
    try:
        return _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise NotResults(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        said = (f"{'.'.join(map(str, one['loc']))} {one['msg']}".strip() for one in error.errors()[:3])
        raise NotResults(f"{path} is not a results file of this version: {'; '.join(said)}") from error


def numbers(samples: Sequence[Any]) -> list[float]:
    """Those of the samples that are finite numbers: some scenarios keep notes or rounds of many among them."""
    flat = [one for sample in samples for one in (sample if isinstance(sample, list) else [sample])]
    return [
        float(one)
        for one in flat
        if isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one)
    ]
