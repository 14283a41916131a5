"""The embedded server: a private Redis or Valkey, run as a child, for one machine.

    DIRECTORY/
    ├── holder.lock       flocked by the process that started the server; its pid inside
    ├── server.lock       flocked by the server itself (an inherited descriptor); its pid inside
    ├── redis.sock        where it listens; nothing listens on TCP
    ├── socket            where it listens instead, if this folder's path is too long for a socket
    ├── program           which one wrote the data, such as `Valkey 9.1.0`: an older or another one may not read it
    ├── server.log
    └── appendonlydir/    the data

The kernel releases a lock with its last holder, so the two locks are right after any crash: a free `holder.lock`
beside a taken `server.lock` is a server that outlived a killed parent; it is replaced. The child with which a server
rewrites its file inherits the lock and may outlive the server; nobody needs then what it writes.

Folder, files, locks and socket belong to us and to nobody else (`folder`), what listens at the socket is a process of
ours (`peers`), and what is ended is a server that was started here (`leftovers`). Else the folder is refused.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Self
from urllib.parse import quote

from streamq.embedded.binary import Writer, find_binary, version_of
from streamq.embedded.folder import ELSEWHERE, Folder
from streamq.embedded.leftovers import end_holders
from streamq.errors import ConfigurationError
from streamq.redis.peers import stranger_at
from streamq.redis.replies import info_in, product_of
from streamq.settings.location import OWN_USER

ANSWER: Final = 10.0
"""Seconds without any reply after which a start has failed: one that loads its data replies that it does."""
STOP: Final = 10.0
"""Seconds a server may take to end before it is killed: it has about a second of data to write."""
RESTART: Final = 1.0
"""Seconds between two starts of a server that ends by itself; they double after each that fails,"""
LONGEST_PAUSE: Final = 30.0
"""up to these: soon enough after somebody has made room on a full disk."""

_UNREADABLE: Final = re.compile(
    "bad file format|rdb format|rdb version|unknown rdb|wrong signature", re.IGNORECASE
)

log = logging.getLogger("streamq.server")


class EmbeddedServer:
    """``async with EmbeddedServer(folder) as server:`` runs a server on a folder, or joins the one there.

    One's own server is stopped at the end and its data is kept: a later start on the folder finds it
    (a crash of the machine costs at most the last second). A joined server is left as it is.
    ``persist=False`` keeps no data. Raises ConfigurationError if no server program is found, if it
    does not start, if the process that holds the folder has a server that does not answer, or if another
    user owns or may enter the folder: the message says what to do.
    """

    url: str
    """``unix:///…/redis.sock#own-user``, percent-encoded: connections of ours refuse another user's server there."""
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
        self._opened: Folder | None = None
        self._holder: IO[str] | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._opened = Folder(self.directory, make=True)
        try:
            self.joined = not await self._hold_or_meet()
            if not self.joined:
                await self._end_leftover()
                self._folder.close_data_to_others()
                await self._start(self._folder.new_socket())
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
                self._folder.forget_socket()
        finally:
            self._child = self._keeper = None
            for held in (self._holder, self._opened):
                if held is not None:
                    held.close()
            self._holder = self._opened = None

    @property
    def _folder(self) -> Folder:
        assert self._opened is not None  # noqa: S101  # from the start to the end of the block
        return self._opened

    async def _hold_or_meet(self) -> bool:
        """True once the folder is ours, False once the server of its holder answers."""
        for wait in _waits(ANSWER):
            self._holder = self._folder.take("holder.lock")
            if self._holder is not None:
                _write_pid(self._holder, os.getpid())
                return True
            if await _answers(self._folder.socket()):
                return False
            await asyncio.sleep(wait)
        raise ConfigurationError(
            f"{self.directory} is held by process {self._pid_in('holder.lock') or '?'}, whose server did not answer "
            f"within {ANSWER:g} s: end that process, or {ELSEWHERE}"
        )

    def _pid_in(self, lock: str) -> int | None:
        text = self._folder.read(lock, 20) or ""
        return int(text) if re.fullmatch("[0-9]+", text) else None

    async def _end_leftover(self) -> None:
        """End a server that outlived its parent: two on one folder would spoil the data."""
        if self._free():
            return
        await _says(self._folder.socket(), "SHUTDOWN")
        if not await self._freed():
            await self._end_holders()

    async def _end_holders(self) -> None:
        """End whoever still has the data open: a server that hangs, or a rewriting child that outlived its server."""
        if self._free():
            return
        pid = self._pid_in("server.lock")
        if pid is not None:
            await asyncio.to_thread(end_holders, self.directory / "server.lock", pid)
        if not await self._freed():
            raise ConfigurationError(
                f"{self.directory / 'server.lock'} is held by a process that is not known to be a server started here "
                f"(the file names {pid or 'none'}), so it was not ended: end it yourself, or {ELSEWHERE}"
            )

    def _free(self) -> bool:
        file = self._folder.take("server.lock")
        if file is not None:
            file.close()
        return file is not None

    async def _freed(self) -> bool:
        """True once nobody has the server's lock, False if that takes too long."""
        for wait in _waits(STOP):
            if self._free():
                return True
            await asyncio.sleep(wait)
        return False

    async def _keep(self) -> None:
        """Start the server again when it ends by itself; what it had written is there again."""
        pause, said = RESTART, ""
        while self._child is not None:
            code = await self._child.wait()
            if not said:
                log.warning("the embedded server ended with %d; starting it again", code)
            try:
                await self._end_holders()  # a rewriting child may have outlived it
                await self._start(self._folder.new_socket())
                await self._introduce()
            except Exception as error:  # whatever it is, the next start may succeed
                if repr(error) != said:
                    log.error("the embedded server cannot be started: %s", str(error) or repr(error))
                said = repr(error)
                await _end(self._child)  # it may hang; the next one needs the folder
            else:
                log.warning("the embedded server runs again, as process %d", self.pid)
                said = ""
            await asyncio.sleep(pause if said else RESTART)
            pause = min(2 * pause, LONGEST_PAUSE) if said else RESTART

    async def _start(self, socket: Path) -> None:
        program = self._binary or (await asyncio.to_thread(find_binary, Writer.of(self.directory))).path
        if not os.access(program, os.X_OK) or program.is_dir():
            raise ConfigurationError(
                f"the server program {program} cannot be run: no such program, or no right to"
            )
        lock = self._folder.take("server.lock")
        if lock is None:
            raise ConfigurationError(f"another server has {self.directory} open")
        with lock, self._folder.open("server.log", "a") as log:
            lock.truncate(0)
            self._log_start = log.tell()
            try:
                self._child = await asyncio.create_subprocess_exec(
                    *_OURS_ALONE,
                    str(program),
                    *_options(socket, persist=self._persist),
                    cwd=_working_folder(self._folder),
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
        socket = self._folder.socket()
        about = info_in((await _says(socket, "INFO server")).encode())
        if socket is None or "process_id" not in about:
            raise ConfigurationError(f"the server on {socket} ended while it was being joined: start again")
        self.product, self.version = product_of(about)
        self.pid = int(about["process_id"])
        if self._persist and not self.joined:
            try:
                self._folder.write("program", f"{self.product} {self.version}\n")
            except (OSError, ConfigurationError) as error:  # the file only makes a later error clearer
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
        """The last lines that this start has logged."""
        with self._folder.open("server.log", "r") as log:
            written = os.pread(log.fileno(), 1 << 20, self._log_start)
        lines = written.decode(errors="replace").splitlines()
        return "\n".join(["its log ends with", *lines[-8:]]) if lines else "its log is empty"


async def running_url(directory: Path) -> str:
    """The address of the server that another process runs on ``directory``, as `EmbeddedServer.url`.

    Raises ConfigurationError if none answers, and if the folder or the server is another user's.
    """
    try:
        with Folder(directory) as folder:
            socket = folder.socket()
            if socket is not None and await _answers(socket):
                return _url_of(socket)
    except FileNotFoundError:
        pass  # nor does a server run there
    raise ConfigurationError(
        f"no server runs on {directory}: start `streamq up` there, or set STREAMQ_REDIS_URL to a server"
    )


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


_OURS_ALONE: Final = ("/bin/sh", "-c", 'umask 077; exec "$0" "$@"')
"""Starts the server with a umask that keeps its files private, as the same process: uvloop has no `umask=`."""


def _working_folder(folder: Folder) -> str | Path:
    """The folder that was opened, whatever has its name by now; macOS has no way to say that."""
    return f"/proc/self/fd/{folder.fileno}" if sys.platform == "linux" else folder.path


def _url_of(socket: Path) -> str:
    return f"unix://{quote(str(socket))}{OWN_USER}"


async def _answers(socket: Path | None) -> bool:
    """Whether a server is ready. One that is loading its data is waited for, however long that takes.

    One with a full disk or a busy script replies with an error: it runs, and later commands will meet that error.
    """
    while (said := await _says(socket, "PING")).startswith("-LOADING"):  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.05)
    return said.startswith(("+PONG", "-MISCONF", "-BUSY"))


async def _says(socket: Path | None, command: str) -> str:
    """The server's answer to one command; empty if there is none. Raises ConfigurationError if it is another user's."""
    if socket is None:
        return ""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                if stranger := stranger_at(writer.get_extra_info("socket")):
                    raise ConfigurationError(stranger)
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


def _write_pid(file: IO[str], pid: int) -> None:
    file.truncate(0)
    file.write(str(pid))
    file.flush()


def _waits(bound: float) -> Iterator[float]:
    """Waits of 2 to 100 ms, each twice the one before, until ``bound`` seconds are over."""
    loop = asyncio.get_running_loop()
    end, wait = loop.time() + bound, 0.002
    while loop.time() < end:
        yield wait
        wait = min(wait * 2, 0.1)
