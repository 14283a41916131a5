"""Bugs in reading, suspects and the self-audit."""

from __future__ import annotations

from .fault import Fault

_WORKER = "streamq/worker/"
_FETCHING, _TROUBLE = "tests/engine/test_fetching.py", "tests/engine/test_queue_trouble.py"
_SUSPECTS, _NEIGHBOURS = "tests/engine/test_suspects.py", "tests/promises/test_neighbours.py"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "a read given up before a reconnection is left blocked", _WORKER + "fetcher.py",
        'await self._link.call("CLIENT", "UNBLOCK", client_id)', "pass", _NEIGHBOURS,
    ),
    Fault(
        "the self-audit runs only after a lost answer", _WORKER + "unseen.py",
        "return monotonic() >= self._due", "return self._thorough", _FETCHING,
    ),
    Fault(
        "the self-audit gives back what the worker holds", _WORKER + "unseen.py",
        "if (queue, lane, entry) not in held]", "]", _FETCHING,
    ),
    Fault(
        "every busy worker waits for a suspect", "streamq/lua/claim_suspect.lua",
        "if type(holder) == 'string' and not mine then return 0 end", "", _SUSPECTS,
    ),
    Fault(
        "a worker waits for a suspect for ever", _WORKER + "suspects.py",
        "if monotonic() >= deadline:", "if False:", _SUSPECTS,
    ),
    Fault(
        "a worker does not look whether the suspect still waits", "streamq/lua/claim_suspect.lua",
        "redis.call('XLEN', KEYS[1]) > redis.call('XPENDING', KEYS[1], ARGV[1])[1]", "true", _SUSPECTS,
    ),
    Fault(
        "patience for a suspect does not grow", _WORKER + "suspects.py",
        "patience.seconds = min(PATIENCE[1], 2 * patience.seconds)", "pass", _SUSPECTS,
    ),
    Fault(
        "a second suspect runs beside the first", _WORKER + "suspects.py",
        "while not self._slots.idle() and not self._slots.stopping:", "while False:", _SUSPECTS,
    ),
    Fault(
        "a queue whose outcomes cannot be written is waited for", _WORKER + "reads.py",
        "or self._blocked(q))]", ")]", _TROUBLE,
    ),
    Fault(
        "a blocked queue keeps its turn", _WORKER + "reads.py",
        "blocked = [queue for queue in shares if self._blocked(queue)]", "blocked = []", _TROUBLE,
    ),
    Fault(
        "the same queues have the next turn again", _WORKER + "turns.py",
        "self._ring.move_to_end(queue)", "pass", _FETCHING,
    ),
    Fault(
        "what a queue is owed of its turn is forgotten", _WORKER + "turns.py",
        "given = self._given if queue == self._head else 0", "given = self._given * 0", _FETCHING,
    ),
    Fault(
        "the surplus of a blocking read is kept", _WORKER + "reads.py",
        "self._take(queue, READY, entries[:slots])", "self._take(queue, READY, entries)", _FETCHING,
    ),
    Fault(
        "a depth that is counted too low hides a queue", _WORKER + "reads.py",
        "waiting = max(depth, 1) if thorough else depth", "waiting = depth", _FETCHING,
    ),
    Fault(
        "no look at other queues while one has a backlog", _WORKER + "reads.py",
        "            return monotonic() >= self._look_due\n", "            return False\n", _FETCHING,
    ),
    Fault(
        "a queue's trouble is told at every try", _WORKER + "trouble.py",
        "pause.until = monotonic() + pause.seconds", "told[str(error)] = error, [subject]", _TROUBLE,
    ),
    Fault(
        "a queue's trouble never ends", _WORKER + "trouble.py",
        "_Pause(PAUSE[0], monotonic() + PAUSE[0])", "_Pause(PAUSE[0], monotonic() + 1e9)", _TROUBLE,
    ),
    Fault(
        "a group that is gone puts its queue aside", _WORKER + "reads.py",
        "if isinstance(error, NoGroup) and queue not in self._joined:", "if False:", _TROUBLE,
    ),
    Fault(
        "a refused queue stops the others", _WORKER + "reads.py",
        "await self._blame(queues, slots, fault(reply))", "raise fault(reply)", _TROUBLE,
    ),
    Fault(
        "an unexpected error ends the fetching", _WORKER + "fetcher.py",
        "except Exception as error:  # whatever", "except Unavailable as error:  # whatever", _TROUBLE,
    ),
)  # fmt: skip
