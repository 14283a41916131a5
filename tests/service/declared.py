"""What the table of routes declares of an answer. Every answer that a test of the service gets is held to it."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import TypeAdapter
from streamq_service.app import ROUTES
from streamq_service.http.problems import OF_ANY_PATH
from streamq_service.http.route import AnyRoute

_PATTERNS: Final = [
    (re.compile(re.sub(r"\{\w+\}", "[^/]+", route.path) + r"(\?.*)?"), route) for route in ROUTES
]


def route_of(method: str, path: str) -> AnyRoute | None:
    return next((r for pattern, r in _PATTERNS if r.method == method and pattern.fullmatch(path)), None)


def check(method: str, path: str, status: int, document: Any) -> None:
    """An undeclared status, problem or member of an answer fails the test that met it."""
    route = route_of(method, path)
    if route is None:
        return
    if status >= 400:
        declared = {(kind.status, kind.code) for kind in (*route.all_problems, *OF_ANY_PATH)}
        assert (status, document["code"]) in declared, f"{method} {route.path} does not declare this problem"
        for error in document.get("errors", ()):
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", error["code"]), "codes have one style"
        return
    said = next((answer for answer in route.answers if answer.status == status), None)
    assert said is not None, f"{method} {route.path} does not declare {status}"
    if said.body is None:
        assert document is None or said.media != "application/json"
    elif said.media == "application/json":
        TypeAdapter(said.body).validate_python(document)
        assert document.keys() <= said.body.__annotations__.keys()
