"""What is read along of a cluster of one node: a command, or a script, that touches several slots is found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .clusters import Alone
from .crossing import Specs, watched
from .rig import ON_ONE_SERVER
from .servers import binary_of

pytestmark = ON_ONE_SERVER


@pytest.fixture(scope="module")
def alone(server_kind: str) -> Iterator[Alone]:
    """A cluster of one node."""
    binary = binary_of(server_kind)
    assert binary is not None
    with Alone(binary) as alone:
        yield alone


@pytest.mark.parametrize(
    ("script", "keys"),
    [
        ("redis.call('GET', '{a}:1') return redis.call('GET', '{b}:1')", ()),
        ("return redis.call('GET', '{b}:' .. string.rep('1', 2))", ("{a}:1",)),
        ("return redis.call('SPUBLISH', '{b}:channel', 'x')", ("{a}:1",)),
    ],
)
def test_a_script_that_touches_another_slot_is_found_although_one_node_has_both(
    alone: Alone, script: str, keys: tuple[str, ...]
) -> None:
    found = pytest.raises(AssertionError, match=r"in several slots:\nEVAL .* does (?s:.)*\{b\}")
    with found, watched(alone):
        alone.ask("EVAL", script, len(keys), *keys)


def test_what_stays_in_a_slot_passes_whatever_slots_others_have(alone: Alone) -> None:
    with watched(alone):
        for tag in "abc":
            alone.ask("EVAL", "redis.call('SET', KEYS[1], 1) return redis.call('GET', KEYS[2])", 2,
                      f"{{{tag}}}:1", f"{{{tag}}}:2")  # fmt: skip
            alone.ask("XADD", f"{{{tag}}}:s", "*", "{d}:1", "{e}:1")


def test_the_keys_of_a_command_are_known_by_what_the_server_says(alone: Alone) -> None:
    specs = Specs.of(alone.port)
    for command, keys in (
        ("XREADGROUP GROUP g c COUNT 1 STREAMS a b > >", "ab"), ("EVALSHA x 2 a b c", "ab"),
        ("ZUNIONSTORE d 2 a b", "dab"), ("SPUBLISH c x", "c"), ("SSUBSCRIBE a b", "ab"),
        ("XGROUP CREATE k g 0", "k"), ("HSET h a b", "h"), ("MSET a 1 b 2", "ab"), ("PING", ""),
        ("BLPOP a b 0", "ab"), ("OBJECT ENCODING k", "k"), ("XREAD COUNT 1 STREAMS a 0", "a"),
    ):  # fmt: skip
        assert "".join(specs.keys(command.split())) == keys, command
