"""A plug-in for pytest: a property that is broken need not be shown by its smallest example."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("planted", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("planted")
