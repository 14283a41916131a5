"""A command as a person types it, so that what we say can be pasted into a terminal, whatever the names are."""

from __future__ import annotations

from shlex import quote

from streamq.model.shown import shown


def typed(verb: str, *names: str, **options: str) -> str:
    """``streamq`` with a verb such as ``job get``, its options, and the names it is for, quoted for a shell.

    ``--`` stands before names of which one begins with a dash: it would be taken for an option.
    """
    given = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    separate = any(name.startswith("-") for name in names)
    words = [*given, "--", *names] if separate else [*names, *given]
    return " ".join(map(quoted, ["streamq", *verb.split(), *words]))


def quoted(word: str) -> str:
    """One word, whole, as a shell reads it.

    A character that a terminal must not get is its bytes in ``$'…'``, which bash, zsh and ksh know: quoted in another
    way it would be shown as an escape, and a shell would read that as something else.
    """
    if shown(word) == word:
        return quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if shown(character) == character:
        return character
    is_byte = "\udc80" <= character <= "\udcff"  # one that is no UTF-8, as Python reads it
    encoded = character.encode("utf-8", "surrogateescape" if is_byte else "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in encoded)
