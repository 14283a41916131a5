"""What a task masks of its jobs: said in their headers, and kept from their records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from streamq.model.headers import Headers
from streamq.model.job_record import JobRecord
from streamq.model.masked import WHOLE, mask


@dataclass(frozen=True, slots=True)
class Masks:
    """The masked places of a task's payload, of its ``version``, and of its result, as JSON pointers."""

    payload: tuple[str, ...]
    result: tuple[str, ...]
    version: int

    def __bool__(self) -> bool:
        return bool(self.payload or self.result)

    def of(self, headers: Headers) -> Sequence[str]:
        """What of a job's payload is masked: what its producer said, or else what the task declares.

        An older payload, of which nobody has said anything, is masked as a whole.
        """
        return headers.get("masked") or self._of_version(headers.get("payload_version", 1))

    def _of_version(self, version: int) -> tuple[str, ...]:
        return WHOLE if self.payload and version < self.version else self.payload

    def added_to(self, headers: Headers, *, with_result: bool = False) -> Headers:
        """A job's headers with what is masked of it, once it has run."""
        said: dict[str, Any] = {"masked": list(masked)} if (masked := self.of(headers)) else {}
        if with_result and self.result:
            said["masked_result"] = list(self.result)
        return cast("Headers", {**headers, **said})

    def kept_from(self, job: JobRecord) -> JobRecord:
        """The record of a job without what is masked of it, where the job does not say that itself."""
        masked = job.masked or self._of_version(job.payload_version)
        payload, result = mask(job.payload, masked), mask(job.result, self.result)
        return replace(job, payload=payload, masked=masked, result=result)
