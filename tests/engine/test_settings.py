"""Settings: from the environment, checked at once, and named by their variable when they are wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import SecretStr, ValidationError

from streamq import App, ConfigurationError, Settings, UsageError, load_app
from streamq.settings import SettingsOptions


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


@pytest.mark.parametrize("make", [App, Settings, Settings.load])
def test_all_wrong_settings_are_told_at_once_in_our_words(make: Callable[..., object]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make(port=-1, lease="x", redis_url="ftp://h")
    for told in (
        "STREAMQ_REDIS_URL: it must begin with",
        "STREAMQ_LEASE: it is not a duration",
        "STREAMQ_PORT: ",
    ):
        assert told in str(refused.value)


def test_an_error_of_settings_has_nothing_of_what_was_given() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Settings(
            redis_url="redis://:hunter2/@h", redis_password=["hunter2"], port="hunter2", prefix="{hunter2}"
        )
    error = refused.value
    assert "hunter2" not in f"{error!r} {vars(error)}"
    assert error.__suppress_context__, "the cause names the input"


def test_a_queue_that_is_named_twice_is_served_once() -> None:
    assert Settings(queues="a,, b,a").queues == Settings(queues=("a", "b", "a")).queues == ("a", "b")


def test_a_lease_shorter_than_two_beats_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="STREAMQ_LEASE is 9 s"):
        App(lease=9, beat=5)


def test_settings_do_not_change_under_ones_feet() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.load().lease = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "meant"), [("redis_ulr", "redis_url"), ("concurency", "concurrency"), ("datadir", "data_dir")]
)
def test_an_unknown_argument_is_refused_with_the_one_that_may_be_meant(wrong: str, meant: str) -> None:
    for make in (App, Settings, Settings.load):
        with pytest.raises(ConfigurationError, match=f"'{wrong}' is not a setting: did you mean {meant}?"):
            make(**{wrong: "x"})


def test_an_argument_like_no_other_is_told_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match=r"'qqq' is not a setting: there are api_keys, .*stuck"):
        App(qqq=1)  # type: ignore[call-arg]


def test_arguments_beside_settings_count_too() -> None:
    app = App(Settings(prefix="shop", lease=30), lease=40)
    assert (app.settings.prefix, app.settings.lease) == ("shop", 40)


def _kinds(hint: Any) -> set[Any]:
    """The types a hint allows, without the bounds of pydantic and with what it reads as them."""
    if get_origin(hint) in (Union, UnionType):
        return {kind for part in get_args(hint) for kind in _kinds(part)}
    if hasattr(hint, "__metadata__"):
        return _kinds(get_args(hint)[0])
    return {Collection} if getattr(get_origin(hint), "__name__", "") in ("tuple", "Sequence") else {hint}


def test_the_type_checker_knows_the_arguments_that_there_are() -> None:
    told, taken = get_type_hints(SettingsOptions), get_type_hints(Settings)
    assert list(told) == list(Settings.model_fields)
    for name, hint in told.items():
        also = {Path: {str}, SecretStr: {str}, Collection: {str}, float: {str, timedelta}}
        allowed = _kinds(taken[name])
        assert _kinds(hint) == allowed | {k for kind in allowed for k in also.get(kind, ())}, name


def test_what_is_typed_wins_over_arguments_and_those_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PREFIX", "LOG", "DURABILITY", "APP"):
        monkeypatch.setenv(f"STREAMQ_{name}", {"LOG": "json", "DURABILITY": "fsync"}.get(name, "env"))
    app = App(prefix="arg", log="console", concurrency=5)
    settings = app.configure(Settings, {"concurrency": 7, "prefix": None, "queues": "a,b"})
    assert app.settings is settings
    assert (settings.prefix, settings.log, settings.durability) == ("arg", "console", "fsync")
    assert (settings.concurrency, settings.queues, settings.app) == (7, ("a", "b"), "env")
    assert app.configure(Settings, {"prefix": "typed"}).concurrency == 7, "what was typed stays"


class Wider(Settings):
    """A service's settings."""

    colour: str = "red"


def test_a_role_of_a_service_adds_its_settings_and_keeps_the_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMQ_COLOUR", "blue")
    wide = App(prefix="shop").configure(Wider, {})
    assert (wide.prefix, wide.colour) == ("shop", "blue")
    narrow = App(Wider(colour="green", prefix="shop")).configure(Settings, {"prefix": "typed"})
    assert isinstance(narrow, Wider)
    assert (narrow.prefix, narrow.colour) == ("typed", "green")


def test_a_copy_of_settings_remembers_what_was_given() -> None:
    copy = Settings(prefix="shop").model_copy()
    assert copy.given == {"prefix": "shop"}
    copy.given.clear()
    assert copy.given == {"prefix": "shop"}


def test_the_app_of_the_environment_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_shop.py").write_text("from streamq import App\napp = App(prefix='shop')\nother = 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("STREAMQ_APP", "a_shop:app")
    assert load_app().settings.prefix == "shop"
    with pytest.raises(UsageError, match="is an int, not a streamq App"):
        load_app("a_shop:other")
