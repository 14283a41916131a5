"""Where settings come from: the environment, `.env`, files of secrets, and what is not for us."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App, ConfigurationError, Settings
from streamq.settings.variables import dotenv, read_secret


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with nothing in it, and no variable of ours."""
    for name in [name for name in os.environ if name.startswith("STREAMQ_") or name == "SMS_API_URL"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, mode: int = 0o600) -> None:
    Path(".env").write_text(text)
    Path(".env").chmod(mode)


# -- .env ---------------------------------------------------------------------------------------------------


def test_dotenv_is_read_below_the_environment_and_that_below_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("STREAMQ_PORT=1\nSTREAMQ_HOST=one\nSTREAMQ_PREFIX=one\nSTREAMQ_LOG=\nOTHER_PROGRAM=x\n")
    monkeypatch.setenv("STREAMQ_HOST", "two")
    monkeypatch.setenv("STREAMQ_PREFIX", "two")
    before = dict(os.environ)
    settings = App(prefix="three").settings
    assert (settings.port, settings.host, settings.prefix, settings.log) == (1, "two", "three", "console")
    assert dict(os.environ) == before, "what handlers see is not changed"


def test_dotenv_is_read_as_shells_and_compose_read_it() -> None:
    write(
        "# a comment\n\n  export STREAMQ_HOST = h.example  # and one here\nSTREAMQ_APP=shop:app#1\r\n"
        'STREAMQ_REDIS_PASSWORD=\'a $b # \\n c\'\nSTREAMQ_QUEUES="a, \\"b\\"\\n$c" # x\nSTREAMQ_LOG= # nothing\n'
        'STREAMQ_HOST2=#x \nOF_ANOTHER="two\nlines"\nSTREAMQ_PREFIX=last'
    )
    assert {name: value for name, value in dotenv().items() if name.startswith("STREAMQ_")} == {
        "STREAMQ_HOST": "h.example", "STREAMQ_APP": "shop:app#1", "STREAMQ_REDIS_PASSWORD": "a $b # \\n c",
        "STREAMQ_QUEUES": 'a, "b"\n$c', "STREAMQ_LOG": "", "STREAMQ_HOST2": "#x", "STREAMQ_PREFIX": "last",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("STREAMQ_PORT 1", 1),
        ("STREAMQ_PORT=1\n\n=x", 3),
        ("A=1\nSTREAMQ_REDIS_PASSWORD='hidden", 2),
        ('A="hidden" hidden', 1),
        ("hidden", 1),
    ],
)
def test_a_line_that_is_none_is_refused_by_its_number(text: str, line: int) -> None:
    write(text)
    with pytest.raises(ConfigurationError, match=f"^.env, line {line}: write NAME=value") as refused:
        App()
    assert "hidden" not in str(refused.value)


def test_a_dotenv_that_others_can_write_is_refused() -> None:
    write("STREAMQ_APP=evil:app", 0o602)
    with pytest.raises(ConfigurationError, match="can be written by other users"):
        App()


def test_a_dotenv_with_a_secret_that_others_can_read_is_told() -> None:
    write("STREAMQ_PORT=1", 0o644)
    assert Settings.load().remarks() == []
    write("STREAMQ_API_KEYS=hidden-0123456789=read", 0o644)
    (remark,) = Settings.load().remarks()
    assert "chmod 600 .env" in remark


# -- files of secrets ---------------------------------------------------------------------------------------


HTTP = "https://user:p%2Fw@h.example?key=x"
ADDRESSES = {
    "redis_url": "redis://:p%2Fw@h.example", "sms_api_url": HTTP, "email_api_url": HTTP, "ai_api_url": HTTP,
    "smtp_url": "smtp://user:p%2Fw@h.example:587", "intake_url": "postgresql://user:p%2Fw@h.example/x",
    "intake_realtime_url": HTTP,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ServiceSettings.secrets()))
def test_every_secret_may_come_from_a_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ADDRESSES.get(name, "  a secret = with, odd ends  ")
    Path("secret").write_text(text + "\r\n")
    monkeypatch.setenv(f"STREAMQ_{name.upper()}_FILE", "secret")
    settings = ServiceSettings.load()
    assert settings.secret(name) == text
    assert settings.secret_file(name) == Path("secret")
    assert text not in repr(settings) + str(settings.model_dump())
    assert settings.remarks() == [], "and its variable is known"
    other = ADDRESSES.get(name, "other").replace("h.example", "other.example")
    assert ServiceSettings.load(**{name: other}).secret(name) == other, "an argument wins"
    monkeypatch.setenv(f"STREAMQ_{name.upper()}", "redis://:hidden@x")
    with pytest.raises(ConfigurationError, match=f"STREAMQ_{name.upper()}_FILE are both set") as refused:
        ServiceSettings.load()
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff", "UTF-8"),
        (b"x" * 70_000, "65536"),
    ],
)
def test_a_file_of_a_secret_that_cannot_be_read_is_refused(
    content: bytes | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        Path("keys").write_bytes(content)
    monkeypatch.setenv("STREAMQ_API_KEYS_FILE", "keys")
    with pytest.raises(ConfigurationError, match=f"STREAMQ_API_KEYS_FILE: .*{said}"):
        Settings.load()


def test_a_folder_and_a_pipe_are_no_files_of_secrets(tmp_path: Path) -> None:
    os.mkfifo("pipe")
    for path in (Path("pipe"), tmp_path):
        with pytest.raises(ConfigurationError, match="is not a file"):
            read_secret(path)


def test_a_secret_of_dotenv_gives_way_to_a_file_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    write("STREAMQ_REDIS_PASSWORD=old")
    Path("new").write_text("new\n")
    monkeypatch.setenv("STREAMQ_REDIS_PASSWORD_FILE", "new")
    assert Settings.load().secret("redis_password") == "new"


@pytest.mark.parametrize("given", ["hunter2", "a/b" * 200, "x" * 300])
def test_a_secret_typed_in_the_place_of_its_file_is_not_shown(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMQ_REDIS_PASSWORD_FILE", given)
    with pytest.raises(ConfigurationError, match=r"_PASSWORD_FILE: .* not the secret") as refused:
        Settings.load()
    assert given not in str(refused.value)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nothing", "device"])
def test_a_dotenv_that_is_no_file_is_refused_and_not_passed_over(kind: str) -> None:
    where = Path(".env")
    match kind:
        case "folder":
            where.mkdir()
        case "pipe":
            os.mkfifo(where)
        case "link to nothing":
            where.symlink_to("nowhere")
        case "device":
            where.symlink_to("/dev/zero")
    with pytest.raises(ConfigurationError, match="is not a file"):
        Settings.load()


# -- what is not for us, and what is misspelt ---------------------------------------------------------------

LINKS = {
    "STREAMQ_PORT": "tcp://10.0.0.1:8000", "STREAMQ_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "STREAMQ_PORT_8000_TCP_PROTO": "tcp", "STREAMQ_PORT_8000_TCP_PORT": "8000",
    "STREAMQ_PORT_8000_TCP_ADDR": "10.0.0.1", "STREAMQ_SERVICE_HOST": "10.0.0.1", "STREAMQ_SERVICE_PORT": "8000",
    "STREAMQ_SERVICE_PORT_HTTP": "8000", "STREAMQ_HOST_PORT": "udp://10.0.0.2:53",
    "STREAMQ_HOST_PORT_53_UDP_ADDR": "10.0.0.2", "STREAMQ_HOST_SERVICE_HOST": "10.0.0.2",
    "STREAMQ_REDIS_PORT": "tcp://[fd00::1]:6379",
}  # fmt: skip
"""What Kubernetes sets beside services named streamq, streamq-host and streamq-redis."""


def test_what_kubernetes_sets_for_a_service_of_our_name_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert (settings.port, settings.host) == (8000, "127.0.0.1")
    (remark,) = settings.remarks()
    assert remark.startswith("STREAMQ_PORT is what Kubernetes sets")
    assert not [n for n in Settings.variables() if f"STREAMQ_{n.upper()}" in LINKS and n != "port"]


def test_another_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("tcp://10.0.0.1", "http://10.0.0.1:80", "redis://:hidden@h:1"):
        monkeypatch.setenv("STREAMQ_PORT", value)
        with pytest.raises(ConfigurationError, match=r"STREAMQ_PORT: .*port the API binds to") as refused:
            Settings.load()
        assert "hidden" not in str(refused.value), "a value may be a secret that was put there by mistake"


def test_a_misspelt_variable_is_told_with_the_one_that_may_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    write("STREAMQ_LEESE=30")
    for name in (
        "STREAMQ_CONCURENCY",
        "STREAMQ_REDIS_PASWORD_FILE",
        "STREAMQ_ZZZZZZZZ",
        "STREAMQ_SMS_TIMEOUT",
    ):
        monkeypatch.setenv(name, "hidden")
    monkeypatch.setenv("STREAMQ_SUPERVISED", "{}")
    told = " ".join(sorted(Settings.load().remarks()))
    assert (
        "STREAMQ_CONCURENCY is no setting of streamq and has no effect: did you mean STREAMQ_CONCURRENCY?"
        in told
    )
    assert "did you mean STREAMQ_REDIS_PASSWORD_FILE?" in told
    assert "did you mean STREAMQ_LEASE?" in told
    assert "STREAMQ_ZZZZZZZZ is no setting of streamq and has no effect" in told
    assert told.count("no effect") == 4, (
        "a setting of the service is one, and so is what our programs tell each other"
    )
    assert "hidden" not in told


def test_a_value_out_of_its_range_is_told_with_its_unit_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEASE", "API_KEYS_FILE", "CONNECTIONS"):
        monkeypatch.setenv(f"STREAMQ_{name}", "-7351")
    monkeypatch.delenv("STREAMQ_API_KEYS_FILE")
    with pytest.raises(ConfigurationError) as refused:
        Settings.load()
    told = str(refused.value)
    assert "STREAMQ_LEASE: " in told
    assert "seconds without a beat" in told
    assert "STREAMQ_CONNECTIONS: " in told
    assert "7351" not in told
