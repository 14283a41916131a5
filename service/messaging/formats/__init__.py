"""The forms in which providers of text messages take them, and tell what became of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from streamq import ConfigurationError

from .form import Address, Form
from .plain import Plain
from .twilio import Twilio
from .vonage import Vonage

FORMS: Final[dict[str, type[Form]]] = {"plain": Plain, "twilio": Twilio, "vonage": Vonage}
"""By the word that stands before ``+http`` in an address; ``plain`` stands for none."""


def form_of(url: str, path: str, secret: str = "", public_url: str = "") -> Form:
    """The form of a provider by its address, as ``[FORM+]https://login@host/path?option=value#name``.

    ``path`` is where messages of the plain form go, ``secret`` signs its reports, and ``public_url`` is where this
    service is reached from outside. Raises ``ConfigurationError``.
    """
    word, plus, rest = url.partition("+")
    if not plus or "://" in word:
        word, rest = "plain", url
    if word not in FORMS:
        known = " or ".join(list(FORMS)[1:])
        raise ConfigurationError(
            f"{word!r} is no form of a provider: write the address alone, or {known} and + before it"
        )
    address = Address.of(rest)
    if not address.name and word != "plain":
        address = replace(address, name=word)
    return FORMS[word](address, path, secret, public_url)
