"""Settings: from the environment, checked at once, and named by their variable when they are wrong."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from streamq import App, ConfigurationError, Settings


def test_a_setting_comes_from_its_variable_and_a_keyword_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMQ_CONCURRENCY", "7")
    monkeypatch.setenv("STREAMQ_QUEUES", "a, b ,,c")
    monkeypatch.setenv("STREAMQ_LEASE", "")
    assert Settings.load().concurrency == 7
    assert Settings.load(concurrency=9).concurrency == 9
    assert Settings.load(concurrency=None).concurrency == 7
    assert Settings.load().queues == ("a", "b", "c")
    assert Settings.load().lease == 15, "empty is as good as unset"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONCURRENCY", "many"),
        ("CONCURRENCY", "0"),
        ("LEASE", "-1"),
        ("DURABILITY", "paper"),
        ("PREFIX", "a:b"),
        ("PREFIX", ""),
        ("PORT", "99999"),
        ("KEEP_COMPLETED", "-1"),
        ("SHUTDOWN_GRACE", "-0.1"),
        ("MAX_PAYLOAD", "64k"),
        ("LOG", "xml"),
    ],
)
def test_a_wrong_setting_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    if value:
        monkeypatch.setenv(f"STREAMQ_{name}", value)
        with pytest.raises(ConfigurationError, match=f"STREAMQ_{name}: "):
            App()
    with pytest.raises(ConfigurationError, match=f"STREAMQ_{name}: "):
        App(**{name.lower(): value})


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(
        ConfigurationError, match=r"(?s)STREAMQ_PORT.*STREAMQ_LEASE|STREAMQ_LEASE.*STREAMQ_PORT"
    ):
        App(port=-1, lease="x")


def test_a_lease_shorter_than_two_beats_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="STREAMQ_LEASE is 9 s"):
        App(lease=9, beat=5)


def test_settings_do_not_change_under_ones_feet() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.load().lease = 1  # type: ignore[misc]
