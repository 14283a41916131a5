"""The app of a user's module, found by its name. Errors show the lines of the user's code."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import sysconfig
import traceback
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from streamq.app import App
from streamq.errors import ConfigurationError, StreamqError, UsageError, meant
from streamq.model.shown import as_given, shown
from streamq.settings import Settings

_PATH: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*:\w+(?:\.\w+)*")
_FRAMES: Final = 20
"""Frames of the user's code in the error of a failed import: about a screen; the last ones say where it failed."""
_LIBRARIES: Final = tuple(
    {
        str(Path(__file__).parent),
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    }
)


def load_app(path: str | None = None) -> App:
    """The app at ``module:attribute``; without a path that of ``STREAMQ_APP``.

    It has the settings it was made with; ``configure`` adds those of a command line.
    Raises ``UsageError`` for a name that leads to no app, with the nearest that does, and ``ConfigurationError`` where
    that name is a setting, or for a module that cannot be imported: its notes are the module's own lines.
    """
    if path:
        return _named(path)
    if not (path := Settings.load().app):
        raise UsageError("which app? Name it as module:attribute, as in tasks:app, or set STREAMQ_APP")
    try:
        return _named(path)
    except UsageError as error:
        raise ConfigurationError(f"STREAMQ_APP: {error}") from None


def _named(path: str) -> App:
    name, _, attributes = path.partition(":")
    if not _PATH.fullmatch(path) or name.endswith(".py"):
        raise UsageError(f"{as_given(path)} does not name an app: {_meant(path)}")
    folder = _working_folder()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found: Any = _module(name, path)
    for attribute in attributes.split("."):
        found = _attribute(found, attribute, path)
    if not isinstance(found, App):
        raise UsageError(f"{path!r} is {_kind(found)}, not a streamq App: {_apps(sys.modules[name])}")
    return found


def _working_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError as error:
        raise ConfigurationError(f"the working folder cannot be used: {error.strerror}") from None


def _meant(path: str) -> str:
    """What to write instead of a path to a file, a call, or a module alone."""
    module, _, attribute = path.partition(":")
    plain = module.replace("\\", "/").removeprefix("./").removesuffix(".py").strip("/").replace("/", ".")
    called = attribute.removesuffix("()")
    if not re.fullmatch(r"[\w-]+(?:\.[\w-]+)*", plain) or not re.fullmatch(r"\w*", called):
        return "write module:attribute, as in tasks:app"
    if called != attribute:
        return f"a function is not called here: write app = {attribute} in the module, and name it as {plain}:app"
    if module.startswith("/"):
        return "write module:attribute, as in tasks:app, and start it in the folder of the module"
    return f"write {plain}:{called or 'app'}"


def _module(name: str, path: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's code raises, also SystemExit
        own = _own_frames(error)
        missing = isinstance(error, ModuleNotFoundError) and (name + ".").startswith(f"{error.name}.")
        if missing and not own:
            raise UsageError(
                f"there is no module {name!r}, which {path!r} names{_near_module(name)}"
            ) from None
        raise _broken(path, error, own) from None


def _near_module(name: str) -> str:
    """The module of that folder that is meant, where one is near."""
    *packages, last = name.split(".")
    folder = Path.cwd().joinpath(*packages)
    try:
        there = {
            item.stem for item in folder.iterdir() if item.suffix == ".py" or (item / "__init__.py").exists()
        }
    except OSError:
        return f": {'.'.join(packages)} is no package"
    near = get_close_matches(last, sorted(there - {"__init__"}), 1)
    if near:
        return f": did you mean {'.'.join([*packages, near[0]])}?"
    return f": it was looked for in {folder} and among what is installed"


def _broken(path: str, error: BaseException, own: traceback.StackSummary) -> ConfigurationError:
    """Code of the user's failed while it was imported: where, and with what."""
    said = list(traceback.TracebackException.from_exception(error).format_exception_only())
    last = str(error) if isinstance(error, StreamqError) else said[-1].strip()
    if isinstance(error, SystemExit):
        last = (
            f"it ends the program while it is imported ({as_given(error)}): "
            'put what it does then under `if __name__ == "__main__":`'
        )
    where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    broken = ConfigurationError(f"{path!r} cannot be loaded: {last}{where}")
    broken.add_note("".join([*own.format(), *(shown(line.rstrip("\n")) + "\n" for line in said)]))
    return broken


def _own_frames(error: BaseException) -> traceback.StackSummary:
    """The lines of the traceback that are neither ours nor a library's."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen ", *_LIBRARIES))
    ]
    return traceback.StackSummary.from_list(frames[-_FRAMES:])


def _attribute(holder: Any, name: str, path: str) -> Any:
    try:
        return getattr(holder, name)
    except AttributeError:
        pass
    except ConfigurationError:  # a sentence that says what to do
        raise
    except Exception as error:  # a module may have a ``__getattr__`` of its own
        raise _broken(path, error, _own_frames(error)) from None
    if not isinstance(holder, ModuleType):
        raise UsageError(f"{path!r} leads nowhere: {_kind(holder)} has no {name!r}") from None
    file = getattr(holder, "__file__", None)
    if file is not None and not file.startswith(str(Path.cwd())):
        hint = f"it is {file}; if you mean one of your own, give that another name"
    else:
        own = [each for each in vars(holder) if not each.startswith("__")]
        hint = meant(name, own, _apps(holder))
    raise UsageError(f"module {holder.__name__!r} has no {name!r}, which {path!r} names: {hint}")


def _apps(module: ModuleType) -> str:
    """Where the module has its apps."""
    apps = [name for name, value in vars(module).items() if isinstance(value, App)]
    if apps:
        return f"did you mean {module.__name__}:{apps[0]}?"
    return f"make one there with app = App(), and name it as {module.__name__}:app"


def _kind(found: Any) -> str:
    if isinstance(found, type):
        return "a class"
    if inspect.isroutine(found):
        return "a function"
    article = "an" if type(found).__name__[:1] in "AEIOUaeiou" else "a"
    return f"{article} {type(found).__name__}"
