"""A command as a person types it, so that what we say can be pasted into a terminal, whatever the names are."""

from __future__ import annotations

from shlex import join


def typed(verb: str, *names: str, **options: str) -> str:
    """``streamq`` with a verb such as ``job get``, its options, and the names it is for, quoted for a shell.

    ``--`` stands before names of which one begins with a dash: it would be taken for an option.
    """
    given = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    separate = any(name.startswith("-") for name in names)
    words = [*given, "--", *names] if separate else [*names, *given]
    return join(["streamq", *verb.split(), *words])
