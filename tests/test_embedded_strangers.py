"""The embedded server among other users of the machine: theirs is not joined, ours is not entered."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamq import App, Rejected
from streamq.embedded import folder as folders
from streamq.embedded import server as embedded
from streamq.embedded.folder import Folder
from streamq.embedded.server import EmbeddedServer, running_url
from streamq.errors import ConfigurationError
from streamq.redis.addressed import servers_at
from streamq.redis.thread_link import ThreadLink

from .embedded import client
from .rig import ON_ONE_SERVER

NOBODY = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")

STRANGER = """
import os, socket, sys
end = socket.socket(socket.AF_UNIX)
end.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
end.listen()
print("listening", flush=True)
while True:
    caller, _ = end.accept()
    said = caller.recv(1000)
    print(len(said), flush=True)
    caller.close()
"""
"""Another user's process that listens where our server should, and prints how much each caller told it."""

INTRUDER = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
folder, place = sys.argv[1:]
def connect(): socket.socket(socket.AF_UNIX).connect(place)
def put(): open(folder + "/planted", "w")
def swap(): os.rename(folder, folder + "-away")
def remove(): os.unlink(place)
for attempt in (connect, put, swap, remove, lambda: os.listdir(folder), lambda: open(folder + "/server.log")):
    try:
        attempt()
    except PermissionError:
        print("refused")
    else:
        print("done")
"""


@pytest.fixture
def ours(folder: Path) -> Path:
    """A folder of ours alone, with something in it."""
    folder.mkdir(mode=0o700)
    (folder / "program").touch()
    return folder


@pytest.fixture
def stranger() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """``stranger(path)``: another user's process that listens there by now."""
    running: list[subprocess.Popen[str]] = []

    def listen(place: Path) -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen([sys.executable, "-c", STRANGER, place], stdout=subprocess.PIPE, text=True)
        )
        assert running[-1].stdout is not None
        assert running[-1].stdout.readline() == "listening\n"
        return running[-1]

    yield listen
    for process in running:
        with process:
            process.kill()


async def refusal(folder: Path) -> list[str]:
    """What a start on the folder says, and what one who would join says."""
    said = []
    with pytest.raises(ConfigurationError) as started:
        await EmbeddedServer(folder, binary=Path("/nonexistent")).__aenter__()
    said.append(str(started.value))
    with pytest.raises(ConfigurationError) as joined:
        await running_url(folder)
    return [*said, str(joined.value)]


@AS_ROOT
async def test_a_folder_of_another_user_is_refused(ours: Path) -> None:
    os.chown(ours, NOBODY, NOBODY)
    for said in await refusal(ours):
        assert f"{ours} belongs to user nobody ({NOBODY}), not to user root (0)" in said
        assert "STREAMQ_DATA_DIR" in said


@AS_ROOT
def test_a_command_in_a_folder_where_another_user_has_made_streamqs_own_is_told_so(tmp_path: Path) -> None:
    (tmp_path / ".streamq").mkdir(mode=0o777)
    os.chown(tmp_path / ".streamq", NOBODY, NOBODY)
    tmp_path.chmod(0o1777)  # such as the system's temporary folder
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMQ_")}
    done = subprocess.run(
        [sys.executable, "-m", "streamq", "queues"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (78, "")
    assert "belongs to user nobody" in done.stderr


async def test_a_folder_that_is_not_ours_alone_is_refused_with_what_to_do(ours: Path) -> None:
    for mode in (0o701, 0o710, 0o720, 0o755, 0o770, 0o777, 0o1777):
        ours.chmod(mode)
        for said in await refusal(ours):
            assert f"others may enter {ours} (its mode is {mode:04o})" in said
            assert f"`chmod 700 {ours}`" in said
    ours.chmod(0o700)
    link = ours.with_name("link")
    link.symlink_to(ours)
    for said in await refusal(link):
        assert f"{link} is a link" in said
    file = ours / "program"
    for said in await refusal(file):
        assert f"{file} can" in said
        assert "STREAMQ_DATA_DIR" in said
    for said in await refusal(file / "inner"):
        assert "inner can" in said


def test_a_new_folder_and_an_empty_one_of_ours_are_closed_to_others(folder: Path) -> None:
    before = os.umask(0)
    try:
        for path in (folder, folder / "a" / "b"):
            Folder(path, make=True).close()
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        empty = folder.with_name("empty")
        empty.mkdir(mode=0o777)
        Folder(empty, make=True).close()
        assert stat.S_IMODE(empty.stat().st_mode) == 0o700
    finally:
        os.umask(before)


PLANTED: dict[str, Callable[[Path, Path], None]] = {
    "a link to another file": lambda path, other: path.symlink_to(other),
    "a link to nothing": lambda path, other: path.symlink_to(other.with_name("nothing")),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a folder": lambda path, _: path.mkdir(),
}
if os.geteuid() == 0:
    PLANTED["another user's file"] = lambda path, _: (path.touch(), os.chown(path, NOBODY, NOBODY))[1]


async def test_what_is_planted_in_the_folder_is_refused_and_left_as_it_is(ours: Path, binary: Path) -> None:
    other = ours.with_name("other")
    for name in ("holder.lock", "server.lock", "server.log", "socket"):
        for kind, plant in PLANTED.items():
            other.write_text("precious")
            plant(ours / name, other)
            with pytest.raises(ConfigurationError) as refused:
                await EmbeddedServer(ours, binary=binary).__aenter__()
            assert str(ours / name) in str(refused.value), kind
            assert other.read_text() == "precious"
            assert not other.with_name("nothing").exists()
            (ours / name).rmdir() if kind == "a folder" else (ours / name).unlink()


@ON_ONE_SERVER
async def test_every_file_of_the_folder_is_ours_alone_whatever_the_umask(folder: Path, binary: Path) -> None:
    before = os.umask(0)
    try:
        async with EmbeddedServer(folder, binary=binary) as server:
            with client(server) as link:
                link.set("message", "secret")
            modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}
    finally:
        os.umask(before)
    assert any(path.name.endswith(".aof") for path in modes)
    assert not {str(path): oct(mode) for path, mode in modes.items() if mode & 0o077}


@ON_ONE_SERVER
@AS_ROOT
async def test_data_of_an_earlier_version_is_closed_to_others_and_data_of_others_is_refused(
    folder: Path, binary: Path
) -> None:
    async with EmbeddedServer(folder, binary=binary) as server:
        with client(server) as link:
            link.set("kept", "1")
    data = folder / "appendonlydir"
    data.chmod(0o755)
    for file in data.iterdir():
        file.chmod(0o644)
    async with EmbeddedServer(folder, binary=binary) as server:
        assert not [path for path in (data, *data.iterdir()) if path.stat().st_mode & 0o077]
        with client(server) as link:
            assert link.get("kept") == "1"
    for path in (data, *data.iterdir()):
        os.chown(path, NOBODY, NOBODY)
        with pytest.raises(ConfigurationError, match=f"{path} belongs to user nobody"):
            await EmbeddedServer(folder, binary=binary).__aenter__()
        os.chown(path, 0, 0)


def test_what_happens_in_a_folder_happens_in_the_one_that_was_looked_at(ours: Path) -> None:
    with Folder(ours) as opened:
        ours.rename(ours.with_name("away"))
        ours.mkdir(mode=0o777)
        opened.write("socket", "/somewhere")
        lock = opened.take("holder.lock")
        assert lock is not None
        lock.close()
    assert list(ours.iterdir()) == []
    assert (ours.with_name("away") / "socket").read_text() == "/somewhere"


def places(folder: Path) -> Iterator[tuple[str | bytes, Path | None]]:
    """What a record may say, and what it leads to."""
    for text in (
        "",
        "redis.sock",
        "../redis.sock",
        "\0",
        "x" * 100_000,
        b"\xff\xfe",
        "/",
        "/nonexistent/redis.sock",
    ):
        yield text, None
    for name, mode in (("streamq-open", 0o755), ("streamq-written", 0o770), ("other", 0o700)):
        (folder / name).mkdir()
        (folder / name).chmod(mode)
        yield str(folder / name / "redis.sock"), folder / name
    (folder / "streamq-link").symlink_to(folder / "other")
    yield str(folder / "streamq-link" / "redis.sock"), folder / "other"
    if os.geteuid() == 0:
        (folder / "streamq-theirs").mkdir(mode=0o700)
        os.chown(folder / "streamq-theirs", NOBODY, NOBODY)
        yield str(folder / "streamq-theirs" / "redis.sock"), folder / "streamq-theirs"


def test_a_recorded_place_that_is_not_ours_is_not_used(ours: Path) -> None:
    with tempfile.TemporaryDirectory() as elsewhere, Folder(ours) as opened:
        for text, led_to in places(Path(elsewhere)):
            (ours / "socket").write_bytes(text if isinstance(text, bytes) else text.encode())
            assert opened.socket() in (None, ours / "redis.sock")
            made = opened.new_socket()
            assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
            assert led_to is None or list(led_to.iterdir()) == []
            opened.forget_socket()
            assert made.parent == ours or not made.parent.exists()
            assert not (ours / "socket").exists()


def test_a_place_that_was_swept_away_is_made_anew(ours: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="streamq-") as swept:
        (ours / "socket").write_text(f"{swept}/redis.sock")
        with Folder(ours) as opened:
            assert opened.socket() == Path(swept, "redis.sock") == opened.new_socket()
    with Folder(ours) as opened:
        assert opened.socket() is None
        assert opened.new_socket().parent.is_dir()
        opened.forget_socket()


def test_the_socket_of_a_long_path_is_in_the_users_runtime_folder_if_that_is_ours_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = folder.with_name("run")
    runtime.mkdir(mode=0o700)
    with Folder(folder / ("long" * 30), make=True) as opened:
        for named, mode, used in (
            (str(runtime), 0o700, True), (str(runtime), 0o755, False), (str(runtime / "none"), 0o700, False),
            ("run", 0o700, False), ("", 0o700, False),
        ):  # fmt: skip
            monkeypatch.setenv("XDG_RUNTIME_DIR", named)
            runtime.chmod(mode)
            made = opened.new_socket()
            assert (made.parent.parent == runtime) is used
            assert len(os.fsencode(made)) <= folders.SOCKET_PATH_LIMIT
            opened.forget_socket()


@AS_ROOT
async def test_another_users_server_is_told_nothing(
    ours: Path, stranger: Callable[[Path], subprocess.Popen[str]]
) -> None:
    place = ours / "redis.sock"
    listening = stranger(place)
    with pytest.raises(ConfigurationError, match=r"is run by user nobody \(65534\), not by user root"):
        await running_url(ours)
    app = App(redis_url=f"unix://{place}#own-user", redis_password="secret", ready_timeout=5)
    async with app:
        with pytest.raises(Rejected, match=r"nothing was sent.*STREAMQ_REDIS_URL"):
            await app.wait_ready()
    with pytest.raises(Rejected, match="is run by user nobody"):
        ThreadLink(servers_at(app.settings).home, "thread").connect()
    assert listening.stdout is not None
    assert [listening.stdout.readline() for _ in range(3)] == ["0\n"] * 3  # one for each caller


@AS_ROOT
@ON_ONE_SERVER
async def test_another_user_can_neither_reach_our_server_nor_touch_its_folder(binary: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="sq-") as shared:
        Path(shared).chmod(0o1777)
        folder = Path(shared, ".streamq")
        async with EmbeddedServer(folder, binary=binary):
            words = [sys.executable, "-c", INTRUDER, folder, folder / "redis.sock"]
            done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True)
        assert done.stdout.split() == ["refused"] * 6


async def test_a_process_is_not_ended_because_a_file_names_it(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP", 0.02)
    with (ours / "server.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        named = subprocess.Popen(["sleep", "60"], start_new_session=True)
        having = subprocess.Popen(["sleep", "60"], start_new_session=True, pass_fds=(lock.fileno(),))
        with named, having:
            for text in (
                str(named.pid),
                str(os.getpid()),
                str(os.getsid(0)),
                "0",
                "1",
                "-1",
                "x",
                "",
                "9" * 40,
            ):
                (ours / "server.lock").write_text(text)
                with pytest.raises(
                    ConfigurationError, match=r"server.lock is held by a process.*was not ended"
                ):
                    await EmbeddedServer(ours, binary=Path("/nonexistent")).__aenter__()
            assert (named.poll(), having.poll()) == (None, None)
            named.kill()
            having.kill()


def test_a_socket_of_our_own_is_no_stranger() -> None:
    from streamq.redis.peers import stranger_at

    one, other = socket.socketpair()
    with one, other:
        assert stranger_at(one) == ""
