"""The text format of Prometheus, version 0.0.4: what it is, and each value with its labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from streamq import Histogram

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Kind = Literal["gauge", "counter", "histogram"]


@dataclass(slots=True)
class Family:
    """A metric: its name, what it is, its kind, and its samples: what a gauge tells may also fall."""

    name: str
    meaning: str
    kind: Kind = "gauge"
    samples: list[tuple[str, Mapping[str, str], float]] = field(default_factory=list)
    """What the name of each ends in, its labels and its value."""

    def add(self, value: float | None, **labels: str) -> None:
        """A sample; ``None`` is none."""
        if value is not None:
            self.samples.append(("", labels, value))

    def spread(self, found: Histogram, **labels: str) -> None:
        """The samples of a histogram."""
        for bound, count in found.below.items():
            self.samples.append(("_bucket", {**labels, "le": _number(bound)}, count))
        self.samples.append(("_bucket", {**labels, "le": "+Inf"}, found.count))
        self.samples.append(("_sum", labels, found.seconds))
        self.samples.append(("_count", labels, found.count))


def text_of(families: Iterable[Family]) -> bytes:
    """All metrics, those without samples left out."""
    return "".join(line for family in families if family.samples for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {_escaped(family.meaning)}\n# TYPE {family.name} {family.kind}\n"
    for end, labels, value in family.samples:
        name = family.name + end
        told = ",".join(f'{label}="{_escaped(text, quotes=True)}"' for label, text in labels.items())
        yield f"{name}{{{told}}} {_number(value)}\n" if told else f"{name} {_number(value)}\n"


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    text = text.replace('"', '\\"') if quotes else text
    return text.encode("utf-8", "replace").decode()


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return str(value) if isinstance(value, int) else repr(float(value))
