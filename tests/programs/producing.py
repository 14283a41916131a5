"""Enqueues by name what its arguments say, with whatever version of the engine it is run: each a JSON object.

An object has ``task``, ``payloads`` and, where they differ from the defaults, ``options``. Writes the ids as one list.
"""

from __future__ import annotations

import asyncio
import json
import sys

from streamq import App


async def main() -> None:
    async with App() as app:
        sent = [json.loads(argument) for argument in sys.argv[1:]]
        jobs = [
            await app.enqueue_many("q", each["task"], each["payloads"], **each.get("options", {}))
            for each in sent
        ]
        sys.stdout.write(json.dumps([job.id for many in jobs for job in many]))


asyncio.run(main())
