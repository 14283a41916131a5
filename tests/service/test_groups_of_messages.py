"""The group of a message: that of its workspace and contact, whatever their ids are."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from streamq_service.messaging.channel import group_of

from streamq import OPTIONS

IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=256) | st.text(
    ' :%*"\\\\ab', min_size=1, max_size=40
)


@given(st.lists(st.tuples(IDS, st.none() | IDS), min_size=2, max_size=2, unique=True))
def test_each_workspace_and_each_contact_has_a_group_of_its_own(pairs: list[tuple[str, str | None]]) -> None:
    groups = [group_of(SimpleNamespace(workspace_id=ws, contact_id=contact)) for ws, contact in pairs]
    assert not [OPTIONS["group"].wrong(group) for group in groups if OPTIONS["group"].wrong(group)]
    assert groups[0] != groups[1]
    tenants = [group.partition(":")[0] for group in groups]
    assert (tenants[0] == tenants[1]) == (pairs[0][0] == pairs[1][0])


def test_a_plain_id_names_its_group_as_it_is() -> None:
    assert group_of(SimpleNamespace(workspace_id=66338, contact_id="c-9")) == "66338:c-9"
    assert (
        group_of(SimpleNamespace(workspace_id="pizza.ada@example.com", contact_id=None))
        == "pizza.ada@example.com"
    )
