"""What a model is told before each conversation: the prompt of the workspace, or else the one of all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from streamq import ConfigurationError

from ..settings import ServiceSettings

LARGEST: Final = 1_048_576
"""Bytes of a file of prompts: more than a hundred long ones."""
_FORM: Final = TypeAdapter(dict[str, Annotated[str, Field(min_length=1, max_length=8_000)]])


class Prompts:
    """Ids of workspaces are compared as text, so 66338 and "66338" are one."""

    def __init__(self, default: str, by_workspace: dict[str, str]) -> None:
        self._default, self._by_workspace = default, by_workspace

    def of(self, workspace_id: str | float) -> str:
        """That of a workspace."""
        return self._by_workspace.get(str(workspace_id), self._default)


def prompts_of(settings: ServiceSettings) -> Prompts:
    """Those of the settings. Raises ``ConfigurationError`` for what is no JSON object of texts, or no file."""
    said = (settings.ai_prompts or "").strip()
    if not said:
        return Prompts(settings.ai_prompt, {})
    try:
        return Prompts(settings.ai_prompt, _FORM.validate_json(said if said.startswith("{") else _read(said)))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = f" at {first['loc'][0]!r}" if first["loc"] else ""
        raise ConfigurationError(
            f"STREAMQ_AI_PROMPTS is no JSON object of workspace ids and prompts{where}: {first['msg']}"
        ) from None


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            found = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"STREAMQ_AI_PROMPTS names a file that cannot be read ({why}): give its path, or a JSON object"
        ) from None
    if len(found) > LARGEST:
        raise ConfigurationError(f"the file of STREAMQ_AI_PROMPTS is larger than {LARGEST:,} bytes")
    return found
