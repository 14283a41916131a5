"""Links lead somewhere, and nowhere outside."""

from __future__ import annotations

import re
from ipaddress import ip_address

from ..house.source import ROOT, shown
from .markdown import anchors, links, pages

URL = re.compile(r"\b(?:https?|rediss?|unix|wss?)://(?:[^\s/@`'\"]*@)?(\[[^\]]+\]|[\w.-]+)")


def test_every_internal_link_and_image_exists() -> None:
    broken = []
    for page in pages():
        for target in links(page):
            path, _, anchor = target.partition("#")
            where = (page.parent / path).resolve() if path else page
            if not where.exists() or (anchor and anchor not in anchors(where)):
                broken.append(f"{shown(page)} -> {target}")
    assert not broken


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md", ROOT / "CHANGELOG.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = [(page.parent / target.partition("#")[0]).resolve() for target in links(page)]
            waiting += [target for target in targets if target.suffix == ".md" and target.exists()]
    assert not [shown(page) for page in pages() if page not in reached]


def test_no_page_names_a_foreign_host() -> None:
    """A name without a dot is one inside a network of containers."""
    assert not [
        f"{shown(page)} names {host}"
        for page in pages()
        for host in set(URL.findall(page.read_text()))
        if "." in host and not host.rstrip(".").endswith("example.com") and not _is_loopback(host)
    ]


def test_every_target_of_make_and_every_program_of_the_checkout_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in pages():
        text = page.read_text()
        named = {*re.findall(r"`make ([\w-]+)", text), *re.findall(r"^\$ make ([\w-]+)", text, re.MULTILINE)}
        assert named <= targets, shown(page)
        assert all((ROOT / name).exists() for name in re.findall(r"`(\.ci/\w+)", text)), shown(page)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
