"""A process of ours: which app it runs, and its event loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from importlib import import_module
from pathlib import Path
from typing import Any

import uvloop

from streamq import App, ConfigurationError


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def load_app(name: str) -> App:
    """The app at ``module:attribute``. Raises ``ConfigurationError``."""
    module, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        app = getattr(import_module(module), attribute or "app")
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"cannot load the app {name!r}: {error}") from error
    if not isinstance(app, App):
        raise ConfigurationError(f"{name!r} is a {type(app).__name__}, not a streamq App")
    return app
