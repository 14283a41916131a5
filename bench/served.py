"""The app that `streamq up` and `streamq api` serve when they are measured: ``streamq api bench.served:app``."""

from streamq import App

from .tasks import declare

app = declare(App())
