"""`.env.example` lists every setting, with its default and its unit."""

from __future__ import annotations

import importlib
import os
import re

import pytest

from streamq import Settings

from .source import ROOT

EXAMPLE = (ROOT / ".env.example").read_text()
ENTRY = re.compile(r"((?:^# .*\n)*)^#([A-Z_0-9]+)=(.*)$", re.MULTILINE)
VALUES = {name: value for _, name, value in ENTRY.findall(EXAMPLE)}


def all_settings() -> list[type[Settings]]:
    """Those of the engine, and those that the service adds to them."""
    if not (ROOT / "service" / "settings.py").exists():
        return [Settings]
    module = importlib.import_module("service.settings")
    ours = [
        value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Settings)
    ]
    assert [value for value in ours if value is not Settings], "service/settings.py adds no settings"
    return ours


def variables(settings: type[Settings]) -> dict[str, str]:
    """The environment variable of each field, the first where there are several."""
    return {name: names[0] for name, names in settings.variables().items()}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {"SMS_API_URL", *(name for name in os.environ if name.startswith("STREAMQ_"))}:
        monkeypatch.delenv(name, raising=False)


def test_every_setting_is_listed_and_nothing_else_is() -> None:
    known = {name for settings in all_settings() for name in variables(settings).values()}
    assert set(VALUES) == known


def test_every_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in all_settings():
        default = settings()
        with monkeypatch.context() as patch:
            for name, value in VALUES.items():
                if value:
                    patch.setenv(name, value)
            assert settings() == default
        unset = {
            field: getattr(default, field) for field, name in variables(settings).items() if not VALUES[name]
        }
        assert not [field for field, value in unset.items() if value not in (None, "", ()) and len(value)]


def test_every_setting_has_its_unit() -> None:
    without = [name for comment, name, _ in ENTRY.findall(EXAMPLE) if not re.search(r"^# \[.+\]", comment)]
    assert not without


def test_no_setting_is_listed_twice() -> None:
    names = [name for _, name, _ in ENTRY.findall(EXAMPLE)]
    assert len(names) == len(set(names))
