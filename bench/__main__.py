"""``python -m bench`` from a checkout: the commands of `streamq bench`, and the promises that its tests measure."""

from importlib import import_module

from .catalogue import ROOT
from .commands import bench

if (ROOT / "tests" / "measured").is_dir():
    import_module("tests.measured").join()

bench(prog_name="python -m bench")
