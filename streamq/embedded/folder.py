"""The folder of an embedded server: ours and nobody else's, or not used.

It is opened once, and its owner and permissions are checked on the open descriptor. Everything in it is opened
relative to that descriptor, never by its path: a user who can rename the folders above it cannot put another in its
place between the check and the use.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import IO, Final, Self

from streamq.errors import ConfigurationError
from streamq.model.typed import quoted
from streamq.redis.peers import whose
from streamq.settings.variables import runtime_folder

SOCKET_PATH_LIMIT: Final = 100
"""Bytes. The kernels allow 103 (macOS) and 107 (Linux): a few less, to be safe elsewhere."""
ELSEWHERE: Final = "choose another folder with STREAMQ_DATA_DIR"
_SOCKET: Final = "redis.sock"
_PREFIX: Final = "streamq-"
_DATA: Final = "appendonlydir"


class Folder:
    """A folder that only we can enter, open. Raises ``ConfigurationError`` that says what is wrong with it.

    With ``make`` it is made where there is none, and an empty one of ours is closed to others.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path = path.absolute()
        if make:
            _make(self.path)
        self.fileno = _open_folder(self.path)
        try:
            if make and not _names_in(self.fileno) and os.fstat(self.fileno).st_uid == os.geteuid():
                os.fchmod(self.fileno, 0o700)  # nothing can have been put there yet
            _refuse_others(self.path, os.fstat(self.fileno))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fileno)

    def open(self, name: str, mode: str) -> IO[str]:
        """A file of the folder, for us alone: a link is not followed, and another user's file is refused."""
        return open(name, mode, opener=self._opener)

    def _opener(self, name: str, flags: int) -> int:
        try:
            file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=self.fileno)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ConfigurationError(f"{self.path / name} cannot be opened: {error.strerror}") from error
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
            os.close(file)
            raise ConfigurationError(_not_ours(self.path / name, about))
        os.fchmod(file, 0o600)
        return file

    def read(self, name: str, most: int = 4096) -> str | None:
        """The first ``most`` characters of a file; None if there is none."""
        try:
            with self.open(name, "r") as file:
                return file.read(most)
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def write(self, name: str, text: str) -> None:
        """Replace the text of a file."""
        with self.open(name, "a") as file:  # not "w": a file that is refused must not be truncated first
            file.truncate(0)
            file.write(text)

    def take(self, name: str) -> IO[str] | None:
        """The file, locked; None while another process has it."""
        file = self.open(name, "a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    def close_data_to_others(self) -> None:
        """Remove other users' permissions from the data files: they go along when the files are moved or copied.

        Raises ``ConfigurationError`` for a file that another user owns, and so could change. A link of our own, to a
        larger disk for example, is left as it is.
        """
        if not self._has_data():
            return
        for inner, _, names, fileno in os.fwalk(_DATA, dir_fd=self.fileno, onerror=_refuse):
            about = os.fstat(fileno)
            if about.st_uid != os.geteuid():
                raise ConfigurationError(_not_ours(self.path / inner, about))
            os.fchmod(fileno, 0o700)
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # a server that ends removes what it was writing
                    self._close_to_others(f"{inner}/{name}")

    def _has_data(self) -> bool:
        try:
            return stat.S_ISDIR(os.stat(_DATA, dir_fd=self.fileno, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    def _close_to_others(self, name: str) -> None:
        about = os.stat(name, dir_fd=self.fileno, follow_symlinks=False)
        if about.st_uid != os.geteuid():
            raise ConfigurationError(_not_ours(self.path / name, about))
        if stat.S_ISREG(about.st_mode):
            os.chmod(name, 0o600, dir_fd=self.fileno)

    def socket(self) -> Path | None:
        """Where its server listens; None if that is in a folder which is gone or not ours."""
        record = self.read("socket")
        if record is None:
            return self.path / _SOCKET
        socket = Path(record)
        return socket if _is_made_by_us(socket) else None

    def new_socket(self) -> Path:
        """Where to listen. A server that replaces a lost one uses the same path, for the processes that joined."""
        socket = self.socket()
        if socket is None or len(os.fsencode(socket)) > SOCKET_PATH_LIMIT:
            socket = _short_folder() / _SOCKET
            self.write("socket", str(socket))
        socket.unlink(missing_ok=True)  # left by a lost server, or anything else at that path
        return socket

    def forget_socket(self) -> None:
        """Remove it, with the folder that was made for it alone."""
        socket = self.socket()
        with contextlib.suppress(FileNotFoundError):
            os.unlink("socket", dir_fd=self.fileno)
        if socket is not None:
            socket.unlink(missing_ok=True)
            if socket.parent != self.path:
                socket.parent.rmdir()


def _refuse(error: OSError) -> None:
    raise ConfigurationError(f"{error.filename} cannot be opened: {error.strerror}") from error


def _names_in(fileno: int) -> list[str]:
    with os.scandir(fileno) as entries:
        return [entry.name for entry in entries]


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            f"the folder {path} cannot be made: {error.strerror}: {ELSEWHERE}"
        ) from error


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise
    except OSError as error:
        if path.is_symlink():
            raise ConfigurationError(
                f"{path} is a link, which others may turn: name the folder it leads to in STREAMQ_DATA_DIR"
            ) from error
        raise ConfigurationError(f"{path} cannot be used: {error.strerror}: {ELSEWHERE}") from error


def _refuse_others(path: Path, about: os.stat_result) -> None:
    if about.st_uid != os.geteuid():
        raise ConfigurationError(_not_ours(path, about))
    if about.st_mode & 0o077:
        raise ConfigurationError(
            f"others may enter {path} (its mode is {stat.S_IMODE(about.st_mode):04o}), and it holds jobs: "
            f"`chmod 700 {quoted(str(path))}`, or {ELSEWHERE}"
        )


def _not_ours(path: Path, about: os.stat_result) -> str:
    me = whose(os.geteuid())
    if about.st_uid == os.geteuid():
        return f"{path} is not a file, as streamq makes it: remove it, or {ELSEWHERE}"
    return (
        f"{path} belongs to {whose(about.st_uid)}, not to {me}, and its owner can read and change the jobs: "
        f"run as that user, give it to {me} with chown if it is yours, or {ELSEWHERE}"
    )


def _is_made_by_us(socket: Path) -> bool:
    """Whether a recorded place is one that `_short_folder` could have made, and still ours alone."""
    folder = socket.parent
    if not socket.is_absolute() or socket.name != _SOCKET or not folder.name.startswith(_PREFIX):
        return False
    return _is_ours_alone(folder)


def _is_ours_alone(folder: Path) -> bool:
    try:
        about = folder.lstat()
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o077


def _short_folder() -> Path:
    """A new folder, of ours alone, whose path is short enough for a socket."""
    runtime = runtime_folder()
    above = [runtime] if runtime is not None and _is_ours_alone(runtime) else []
    for parent in (*above, Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - the folder in it is a new one
        with contextlib.suppress(OSError):
            made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            if len(os.fsencode(made / _SOCKET)) <= SOCKET_PATH_LIMIT:
                return made
            shutil.rmtree(made)
    raise ConfigurationError(
        "no temporary folder has a path that is short enough for a socket: set TMPDIR to one, or "
        "STREAMQ_DATA_DIR to a folder with a shorter path"
    )
