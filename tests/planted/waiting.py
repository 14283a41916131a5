"""Bugs in signals, in waiting for results, and in walks over lists."""

from __future__ import annotations

from .fault import Fault

_WAITING, _WALKS = "tests/engine/test_waiting.py", "tests/engine/test_walks.py"
_SETTLE = "tests/lua/test_settle.py"
_RESULTS, _SIGNALS = "streamq/results.py", "streamq/signals.py"
_PRELUDE, _WALK, _BACK = "streamq/lua/_prelude.lua", "streamq/lua/walk.lua", "streamq/lua/back.lua"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "results: waiters never look again",
        _RESULTS,
        "        except TimeoutError:\n            self._ask(self._waiters)",
        "        except TimeoutError:\n            pass",
        _WAITING,
    ),
    Fault(
        "results: a reconnection is not a reason to look",
        _RESULTS,
        "            self._decided.set()\n            self._ask(self._waiters)",
        "            self._decided.set()\n            self._ask(self._waiters if not self._waited else ())",
        _WAITING,
    ),
    Fault(
        "results: no first look within a short time",
        _RESULTS,
        "        if self.looked:\n",
        "        if True:\n",
        _WAITING,
    ),
    Fault(
        "results: a close leaves its waiters alone",
        _RESULTS,
        "            self._task.cancel()\n            await asyncio.wait([self._task])\n"
        "            self._stop()  # also",
        "            self._stop()  # also",
        _WAITING,
    ),
    Fault(
        "results: a bulk send does not listen",
        _RESULTS,
        "if self._task is None and self._unawaited:",
        "if True:",
        _WAITING,
    ),
    Fault(
        "results: who never waits listens for ever",
        _RESULTS,
        "or monotonic() < self._until:",
        "or True:",
        _WAITING,
    ),
    Fault(
        "signals: a listener that fails stops the others",
        _SIGNALS,
        '            except Exception:\n                log.exception("a listener',
        '            except ImportError:\n                log.exception("a listener',
        _WAITING,
    ),
    Fault(
        "signals: nobody is told that a channel is heard",
        _SIGNALS,
        "        self._tell(self._listeners.get(channel, ()), None)",
        "",
        _WAITING,
    ),
    Fault(
        "signals: a cut record is passed on",
        _SIGNALS,
        "if not start <= at <= len(bodies):",
        "if False:",
        _WAITING,
    ),
    Fault(
        "signals: payloads are sent along",
        _PRELUDE,
        "if #body > 256 then body = outcome(body) end",
        "",
        _SETTLE,
    ),
    Fault(
        "signals: a message without a bound",
        _PRELUDE,
        "if news.size + #body > CARRIED then",
        "if false then",
        _SETTLE,
    ),
    Fault(
        "signals: an earlier due time is not told",
        _PRELUDE,
        "redis.pcall('PUBLISH', channel, 'due '",
        "redis.pcall('ECHO', 'due '",
        _SETTLE,
    ),
    Fault(
        "signals: outcomes are not told",
        "streamq/lua/settle.lua",
        "if news then signal_ended(KEYS[9], news) end",
        "",
        _SETTLE,
    ),
    Fault("walk: the place itself is met again", _WALK, "passed(true)", "passed(false)", _WALKS),
    Fault("walk: equals are not ordered", _WALK, "if x ~= y then return x < y end", "", _WALKS),
    Fault(
        "walk: the page before the place overlaps",
        _WALK,
        "redis.call('ZCARD', KEYS[1]) or passed(false)",
        "redis.call('ZCARD', KEYS[1]) or passed(true)",
        _WALKS,
    ),
    Fault("back: the place itself is met again", _BACK, "from = at + 1", "from = at", _WALKS),
    Fault("back: one slice is searched", _BACK, "later + 9000, 1000", "later, 1000", _WALKS),
    Fault(
        "back: what came since is skipped", _BACK, "return from + #slice - i end", "return from end", _WALKS
    ),
    Fault(
        "requeue: a retried job stays listed as failed",
        "streamq/lua/requeue.lua",
        "redis.call('ZREM', KEYS[3], ARGV[1])",
        "",
        _WALKS,
    ),
    Fault("failed: all at the same moment", _PRELUDE, "math.max(now, tonumber(last[2] or now))", "0", _WALKS),
    Fault(
        "adopt: a record is not looked at",
        "streamq/lua/adopt.lua",
        "  if took then\n",
        "  if false then\n",
        _WALKS,
    ),
    Fault(
        "pages: who was taken is shown as waiting",
        "streamq/views.py",
        'max(after or "0-0", await',
        'min(after or "9-0", await',
        _WALKS,
    ),
    Fault(
        "prune: keys of the version before stay",
        "streamq/lua/prune.lua",
        "redis.call('UNLINK', unpack(KEYS, 3))",
        "",
        "tests/engine/test_retention.py",
    ),
)
