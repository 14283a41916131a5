"""``PYTHON -m bench.peers NAME JSON`` plays a role of the adapter of that name."""

import sys
from importlib import import_module

from .adapter import play

adapter = import_module(f".{sys.argv[1]}", __package__)
play(adapter.sending, adapter.work, packages=adapter.PACKAGES, settings=adapter.SETTINGS)
