"""The embedded server: a private Redis or Valkey, run as a child, for one machine.

    DIRECTORY/
    ├── holder.lock       flocked by the process that started the server; its pid inside
    ├── server.lock       flocked by the server itself (an inherited descriptor); its pid inside
    ├── redis.sock        where it listens; nothing listens on TCP
    ├── socket            where it listens instead, if this folder's path is too long for a socket
    ├── program           which one wrote the data, such as `Valkey 9.1.0`: an older or another one may not read it
    ├── server.log
    └── appendonlydir/    the data

The kernel drops a lock with its last holder, so the two locks tell the truth after any crash: a free
`holder.lock` beside a taken `server.lock` is a server that outlived a killed parent; it is replaced. A child of a
server that rewrites its file inherits the lock and may outlive the server; what it writes is nobody's then.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Self
from urllib.parse import quote

from streamq.binary import Binary, Writer, find_binary, version_of
from streamq.errors import ConfigurationError

__all__ = ["Binary", "EmbeddedServer", "find_binary", "running_url"]

SOCKET_PATH_LIMIT: Final = 100
"""Bytes. The kernels allow 103 (macOS) and 107 (Linux)."""
ANSWER: Final = 10.0
"""Seconds a server may stay silent before its start is given up."""
STOP: Final = 10.0
"""Seconds a server may take to end before it is killed."""
RESTART: Final = 1.0
"""Seconds between two starts of a server that ends by itself; twice as long after each that fails."""
LONGEST_PAUSE: Final = 30.0

_UNREADABLE: Final = re.compile(
    "bad file format|rdb format|rdb version|unknown rdb|wrong signature", re.IGNORECASE
)

log = logging.getLogger("streamq.server")


class EmbeddedServer:
    """``async with EmbeddedServer(folder) as server:`` runs a server on a folder, or joins the one there.

    One's own server is stopped at the end and its data is kept: a later start on the folder finds it
    (a crash of the machine costs at most the last second). A joined server is left as it is.
    ``persist=False`` keeps no data. Raises ConfigurationError if no server program is found, if it
    does not start, or if the process that holds the folder has a server that does not answer.
    """

    url: str
    """``unix:///…/redis.sock``, percent-encoded."""
    pid: int
    """Of the server process."""
    product: str
    """``"Redis"`` or ``"Valkey"``."""
    version: str
    """Like ``"7.0.15"``."""
    joined: bool
    """Whether another holder of the folder started the server, and will stop it."""

    def __init__(self, directory: Path, *, binary: Path | None = None, persist: bool = True) -> None:
        self.directory = Path(directory).absolute()
        self._binary = binary
        self._persist = persist
        self._log_start = 0
        self._holder: IO[str] | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self.joined = not await self._hold_or_meet()
            if not self.joined:
                await self._end_leftover()
                await self._start(_new_socket(self.directory))
                self._keeper = asyncio.create_task(self._keep(), name="embedded server")
            await self._introduce()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop one's own server, then let go of the folder."""
        try:
            if self._keeper is not None:
                self._keeper.cancel()
                await asyncio.wait([self._keeper])
            if self._child is not None:
                await _end(self._child)
                _forget_socket(self.directory)
        finally:
            self._child = self._keeper = None
            if self._holder is not None:
                self._holder.close()
                self._holder = None

    async def _hold_or_meet(self) -> bool:
        """True once the folder is ours, False once the server of its holder answers."""
        lock = self.directory / "holder.lock"
        for wait in _waits(ANSWER):
            self._holder = _take(lock)
            if self._holder is not None:
                _write_pid(self._holder, os.getpid())
                return True
            if await _answers(_socket_of(self.directory)):
                return False
            await asyncio.sleep(wait)
        raise ConfigurationError(
            f"{self.directory} is held by process {lock.read_text()}, whose server did not answer within "
            f"{ANSWER:g} s: end that process, or choose another folder with STREAMQ_DATA_DIR"
        )

    async def _end_leftover(self) -> None:
        """End a server that outlived its parent: two on one folder would spoil the data."""
        lock = self.directory / "server.lock"
        if _free(lock):
            return
        await _says(_socket_of(self.directory), "SHUTDOWN")
        if not await _freed(lock):
            await self._end_holders()

    async def _end_holders(self) -> None:
        """End whoever still has the data open: a server that hangs, or a rewriting child that outlived its server.

        Whoever has the lock inherited it from the server whose pid is in it, and is of the session that this server
        began: as long as one of them lives the kernel gives that number to nobody else.
        """
        lock = self.directory / "server.lock"
        if _free(lock):
            return
        pid = lock.read_text()
        if pid.isdecimal():
            with contextlib.suppress(ProcessLookupError, PermissionError):  # what is left is told below
                os.killpg(int(pid), signal.SIGKILL)
        if not await _freed(lock):
            raise ConfigurationError(
                f"a server left behind still has {self.directory} open: end process {pid or '?'} first"
            )

    async def _keep(self) -> None:
        """Start the server again when it ends by itself; what it had written is there again."""
        pause, said = RESTART, ""
        while self._child is not None:
            code = await self._child.wait()
            if not said:
                log.warning("the embedded server ended with %d; starting it again", code)
            try:
                await self._end_holders()  # a rewriting child may have outlived it
                await self._start(_socket_of(self.directory))
                await self._introduce()
            except Exception as error:  # whatever it is, who keeps the server goes on keeping it
                if repr(error) != said:
                    log.error("the embedded server cannot be started: %s", str(error) or repr(error))
                said = repr(error)
                await _end(self._child)  # it may hang; its successor needs the folder
            else:
                log.warning("the embedded server runs again, as process %d", self.pid)
                said = ""
            await asyncio.sleep(pause if said else RESTART)
            pause = min(2 * pause, LONGEST_PAUSE) if said else RESTART

    async def _start(self, socket: Path) -> None:
        program = self._binary or (await asyncio.to_thread(find_binary, Writer.of(self.directory))).path
        lock = _take(self.directory / "server.lock")
        if lock is None:
            raise ConfigurationError(f"another server has {self.directory} open")
        with lock, (self.directory / "server.log").open("ab") as log:
            lock.truncate(0)
            self._log_start = log.tell()
            try:
                self._child = await asyncio.create_subprocess_exec(
                    program,
                    *_options(socket, persist=self._persist),
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal is for us; we stop the server last
                    pass_fds=(lock.fileno(),),
                )
            except OSError as error:
                raise ConfigurationError(f"the server program {program} cannot be run: {error}") from error
            _write_pid(lock, self._child.pid)
        await self._until_ready(self._child, program, socket)

    async def _until_ready(self, child: asyncio.subprocess.Process, program: Path, socket: Path) -> None:
        for wait in _waits(ANSWER):
            if await _answers(socket):
                return
            if child.returncode is not None:
                if _UNREADABLE.search(self._log_tail()):
                    raise ConfigurationError(await asyncio.to_thread(self._unreadable_by, program))
                raise ConfigurationError(f"the server ended with {child.returncode}; {self._log_tail()}")
            await asyncio.sleep(wait)
        raise ConfigurationError(f"the server did not answer within {ANSWER:g} s; {self._log_tail()}")

    async def _introduce(self) -> None:
        socket = _socket_of(self.directory)
        about = dict(re.findall(r"^(\w+):(.*?)\r?$", await _says(socket, "INFO server"), re.MULTILINE))
        if "process_id" not in about:
            raise ConfigurationError(f"the server on {socket} ended while it was being joined: start again")
        self.product = "Valkey" if "valkey_version" in about else "Redis"
        self.version = about.get("valkey_version") or about["redis_version"]
        self.pid = int(about["process_id"])
        if self._persist and not self.joined:
            try:
                (self.directory / "program").write_text(f"{self.product} {self.version}\n")
            except OSError as error:  # it only helps to say what is wrong, one day
                log.warning("cannot write down which program has the data of %s: %s", self.directory, error)
        self.url = _url_of(socket)

    def _unreadable_by(self, program: Path) -> str:
        """The server's own advice, to cut the file until it can be read, would lose jobs."""
        wrote, version = Writer.of(self.directory), ".".join(map(str, version_of(program)))
        if wrote is None or wrote.is_read_by(program.name, version_of(program)):
            return (
                f"{program} {version} cannot read the data in {self.directory}: it is damaged, or another or a newer "
                f"program wrote it. Keep a copy of the folder before anything is repaired; {self._log_tail()}"
            )
        return (
            f"the data in {self.directory} was written by {wrote}, and {program} {version} cannot read it: put "
            f"{wrote} or a newer {wrote.product} on the PATH, or choose another folder with "
            "STREAMQ_DATA_DIR. Nothing is damaged: do not repair the file"
        )

    def _log_tail(self) -> str:
        """The end of what this start has logged; what earlier ones did is another matter."""
        written = (self.directory / "server.log").read_bytes()[self._log_start :]
        lines = written.decode(errors="replace").splitlines()
        return "\n".join(["its log ends with", *lines[-8:]]) if lines else "its log is empty"


async def running_url(directory: Path) -> str:
    """The address of the server that another process runs on ``directory``, as `EmbeddedServer.url`.

    Raises ConfigurationError if none answers.
    """
    socket = _socket_of(directory)
    if not await _answers(socket):
        raise ConfigurationError(
            f"no server runs on {directory}: start `streamq up` there, or set STREAMQ_REDIS_URL to a server"
        )
    return _url_of(socket)


def _options(socket: Path, *, persist: bool) -> Iterator[str]:
    """The command line. The server runs in its folder, so it needs no path but the socket's."""
    for name, value in {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "appendonly": "yes" if persist else "no",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "daemonize": "no",
    }.items():
        yield f"--{name}"
        yield value


def _socket_of(directory: Path) -> Path:
    record = directory / "socket"
    return Path(record.read_text()) if record.exists() else directory.absolute() / "redis.sock"


def _url_of(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"


def _new_socket(directory: Path) -> Path:
    """Where to listen. A server that replaces a lost one listens in the same place, for those who joined."""
    socket = _socket_of(directory)
    if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT or not socket.parent.is_dir():
        socket = Path(tempfile.mkdtemp(prefix="streamq-")) / "redis.sock"
        (directory / "socket").write_text(str(socket))
    return socket


def _forget_socket(directory: Path) -> None:
    socket = _socket_of(directory)
    socket.unlink(missing_ok=True)
    if socket.parent != directory:
        socket.parent.rmdir()
        (directory / "socket").unlink()


async def _answers(socket: Path) -> bool:
    """Whether a server is ready. One that is reading its data is waited for, however long that takes."""
    while (said := await _says(socket, "PING")).startswith("-LOADING"):  # noqa: ASYNC110 - it tells only those who ask
        await asyncio.sleep(0.05)
    return said == "+PONG"


async def _says(socket: Path, command: str) -> str:
    """The server's answer to one command; empty if there is none."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(f"{command}\r\n".encode())
                line = (await reader.readline()).decode().strip()
                return (await reader.readexactly(int(line[1:]))).decode() if line.startswith("$") else line
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return ""


async def _end(child: asyncio.subprocess.Process) -> None:
    """SIGTERM lets it write everything down; SIGKILL if that takes too long or we are cancelled meanwhile."""
    try:
        if child.returncode is None:
            child.terminate()
        await asyncio.wait_for(child.wait(), STOP)
    except TimeoutError:
        pass  # killed below
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def _take(path: Path) -> IO[str] | None:
    """The file, locked; None while another process has it."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _write_pid(file: IO[str], pid: int) -> None:
    file.truncate(0)
    file.write(str(pid))
    file.flush()


def _free(path: Path) -> bool:
    file = _take(path)
    if file is not None:
        file.close()
    return file is not None


async def _freed(path: Path) -> bool:
    """True once nobody has the lock, False if that takes too long."""
    for wait in _waits(STOP):
        if _free(path):
            return True
        await asyncio.sleep(wait)
    return False


def _waits(bound: float) -> Iterator[float]:
    """Waits of 2 to 100 ms, each twice the one before, until ``bound`` seconds are over."""
    loop = asyncio.get_running_loop()
    end, wait = loop.time() + bound, 0.002
    while loop.time() < end:
        yield wait
        wait = min(wait * 2, 0.1)
