"""A mistake in a setting that decides who may ask is refused, or closes the door."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import pytest
from streamq_service.app import build_app
from streamq_service.http.auth import Keys, check_binding
from streamq_service.http.serve import bind
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings

from streamq import App, ConfigurationError

KEY = "a-key-of-many-letters"
REFUSED = [
    ("HOST", "0.0.0.0"),  # noqa: S104
    ("HOST", "::"),
    ("HOST", "*"),
    ("HOST", "0"),
    ("HOST", "127.1"),
    ("HOST", "127.0.0.1 "),
    ("HOST", "127.0.0.1:8000"),
    ("HOST", "http://127.0.0.1"),
    ("HOST", "localhost.evil.example"),
    ("HOST", "::ffff:192.0.2.1"),
    ("PORT", "80000"),
    ("PORT", "-1"),
    ("API_KEYS", "=read"),
    ("API_KEYS", "="),
    ("API_KEYS", f"{KEY}=owner"),
    ("API_KEYS", f"{KEY}=read+"),
    ("API_KEYS", f"{KEY}=Admin"),
    ("BASE_PATH", "jobs"),
    ("BASE_PATH", "//evil.example"),
    ("BASE_PATH", "/jobs//in"),
    ("BASE_PATH", "/../jobs"),
    ("BASE_PATH", "/{queue}"),
    ("BASE_PATH", "/a b"),
    ("BASE_PATH", "/a\nSet-Cookie: b"),
    ("BASE_PATH", "http://evil.example/jobs"),
    ("BASE_PATH", "/jobs?key=1"),
    ("MAX_BODY", "0"),
    ("MAX_BODY", "-1"),
    ("MAX_BODY", "unlimited"),
    ("MAX_BODY", "1000000000000"),
    ("MAX_WATCHERS", "0"),
    ("MAX_WATCHERS", "-5"),
    ("MAX_WATCHERS", "1e9"),
    ("MAX_WATCHERS", "1000000"),
    ("FEED_INTERVAL", "0"),
    ("FEED_INTERVAL", "nan"),
]


def started() -> None:
    """All that a role does before it answers."""
    settings = App().configure(ServiceSettings, {})
    check_binding(Keys(settings.api_keys.get_secret_value()), settings.host)
    with bind(settings.host, settings.port):
        build_app(messaging_app(settings), settings)


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_an_odd_value_is_refused_in_one_sentence(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMQ_PORT", "0")
    monkeypatch.setenv(f"STREAMQ_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        started()
    told = str(refused.value)
    assert name.lower().replace("host", "listen") in told.lower()
    assert "\n" not in told
    assert KEY not in told


@pytest.mark.parametrize("name", ["HOST", "PORT", "API_KEYS", "BASE_PATH", "MAX_BODY", "MAX_WATCHERS"])
def test_an_empty_value_is_the_default_which_is_closed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMQ_PORT", "0")
    monkeypatch.setenv(f"STREAMQ_{name}", "")
    settings = App().configure(ServiceSettings, {})
    assert settings.host == "127.0.0.1"
    assert settings.api_keys.get_secret_value() == ""
    assert getattr(settings, name.lower()) == ServiceSettings.model_fields[name.lower()].default


async def test_a_role_that_is_refused_ends_with_78_and_one_line() -> None:
    environment = {**os.environ, "STREAMQ_HOST": "0.0.0.0", "STREAMQ_PORT": "0"}  # noqa: S104
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamq", "api", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await program.communicate()
    assert program.returncode == 78
    assert said.decode().count("\n") == 1
    assert "without API keys" in said.decode()


def test_a_host_may_stand_in_brackets_as_in_an_address() -> None:
    with bind("[::1]", 0) as listener:
        assert listener.getsockname()[0] == "::1"


def test_no_name_is_bound_without_keys_that_leads_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("0.0.0.0", "::", "", "localhost.evil.example", "127.1", "::ffff:192.0.2.1", "0", "*"):  # noqa: S104
        with pytest.raises(ConfigurationError, match="without API keys"):
            check_binding(Keys(""), host)
    for host in ("127.0.0.1", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1", "127.9.9.9"):
        check_binding(Keys(""), host)
    elsewhere = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("127.0.0.1", "192.0.2.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: elsewhere)
    with pytest.raises(ConfigurationError, match="without API keys"):
        check_binding(Keys(""), "localhost")
