"""Bugs of the service: who may ask, bad input, pages of jobs, live counts, messages and their provider."""

from __future__ import annotations

from .fault import Fault

ACCESS, INPUT = "tests/service/test_access.py", "tests/service/test_bad_input.py"
JOBS, LIVE = "tests/service/test_jobs.py", "tests/service/test_dashboard.py -k 'not a_browser'"
MESSAGES, PROBLEMS = "tests/service/test_messages.py", "tests/service/test_problems.py"

FAULTS: tuple[Fault, ...] = (
    Fault("auth: any scope is enough", "service/auth.py", "if have < needed:", "if have < Scope.READ:", ACCESS),
    Fault("auth: a key of several scopes has its lowest", "service/auth.py", "return key, max(", "return key, min(", ACCESS),
    Fault(
        "auth: a refusal tells the key", "service/auth.py",
        'key number {number} {wrong}', 'key number {number} {entry} {wrong}', ACCESS,
    ),
    Fault(
        "auth: any kind of credentials is a bearer key", "service/auth.py",
        'if kind.lower() == "bearer" else None', "if kind else None", ACCESS,
    ),
    Fault(
        "auth: the kind of credentials is compared by its case", "service/auth.py",
        'if kind.lower() == "bearer"', 'if kind == "Bearer"', ACCESS,
    ),
    Fault(
        "auth: a name that ends like localhost is local", "service/auth.py",
        'name.endswith(".localhost")', 'name.endswith("localhost")', ACCESS,
    ),
    Fault(
        "auth: another site's page may call without keys", "service/auth.py",
        'if request.headers.get("Sec-Fetch-Site") == "cross-site":', "if False:", ACCESS,
    ),
    Fault(
        "auth: a foreign host name is answered without keys", "service/auth.py",
        'if not is_loopback(request.url.host or ""):', "if False:", ACCESS,
    ),
    Fault(
        "auth: retrying needs only reading", "service/app.py",
        'jobs.retry, Scope.WRITE', "jobs.retry, Scope.READ", ACCESS,
    ),
    Fault(
        "input: a body of unknown length has no limit", "service/requests.py",
        "            if size > limit:", "            if size < 0:", INPUT,
    ),
    Fault(
        "input: an announced length is not looked at", "service/requests.py",
        "if announced <= limit:", "if True:", INPUT,
    ),
    Fault(
        "input: a type that only begins like JSON is JSON", "service/requests.py",
        "_JSON.fullmatch(", "_JSON.match(", INPUT,
    ),
    Fault("input: any depth is read", "service/requests.py", "if _depth(value) > MAX_DEPTH:", "if False:", INPUT),
    Fault(
        "input: a pointer is not escaped", "service/requests.py",
        ".replace('~', '~0').replace('/', '~1')", "", INPUT,
    ),
    Fault("input: only the first error is told", "service/requests.py", "for e in error.errors(include_url=False)]", "for e in error.errors(include_url=False)[:1]]", INPUT),
    Fault(
        "input: a promise that is not kept is taken silently", "service/requests.py",
        'if "Idempotency-Key" in request.headers:', "if False:", MESSAGES,
    ),
    Fault(
        "input: a wait of any length is taken", "service/requests.py",
        "if (seconds := int(found[1])) > MAX_WAIT:", "if (seconds := int(found[1])) > 10**9:", JOBS,
    ),
    Fault("input: a time in the past is taken", "service/schemas.py", "if ahead <= timedelta(0):", "if False:", INPUT),
    Fault(
        "input: milliseconds are taken for seconds", "service/schemas.py",
        "if value is not None and value > MAX_DELAY.total_seconds():", "if False:", INPUT,
    ),
    Fault(
        "pages: a state that ends with a full page ends the list", "service/api/jobs.py",
        '            following = f"{current}."\n', "            following = None\n", JOBS,
    ),
    Fault(
        "pages: the cursor of one state is used in the next", "service/api/jobs.py",
        '        cursor = ""\n', "", JOBS,
    ),
    Fault(
        "pages: a page of several states is longer than asked for", "service/api/jobs.py",
        "query.limit - len(records), cursor", "query.limit, cursor", JOBS,
    ),
    Fault(
        "pages: a cursor of another filter is taken", "service/api/jobs.py",
        "if state not in states:", "if False:", INPUT,
    ),
    Fault(
        "jobs: a wait that ended without a result is a success", "service/api/jobs.py",
        "        status = 202\n", "        status = 200\n", JOBS,
    ),
    Fault(
        "jobs: an unknown task is enqueued", "service/api/jobs.py",
        "if tasks and body.task not in tasks:", "if False:", JOBS,
    ),
    Fault(
        "feed: a slow browser misses events and gets no snapshot", "service/dashboard/feed.py",
        "            event = snapshot\n", "            pass\n", LIVE,
    ),
    Fault(
        "feed: a change tells nothing of a queue that is gone", "service/dashboard/feed.py",
        "{**queues, **gone}", "queues", LIVE,
    ),
    Fault(
        "feed: the server is asked while nobody watches", "service/dashboard/feed.py",
        "            if not self._watchers:\n                self._stop()\n", "", LIVE,
    ),
    Fault(
        "feed: changes since a sample that nobody has seen", "service/dashboard/feed.py",
        "        self._last = sample\n", "        self._last = sample or self._last\n", LIVE,
    ),
    Fault(
        "feed: one failed sample ends the live counts", "service/dashboard/feed.py",
        "            except Exception:\n", "            except Unavailable:\n", LIVE,
    ),
    Fault(
        "feed: any number may watch", "service/dashboard/feed.py",
        "self._closed or len(self._watchers) >= self._limit", "self._closed", LIVE,
    ),
    Fault(
        "messages: a delay of nothing goes through the queue of scheduled ones", "service/schemas.py",
        "return bool(self.delay) or", "return self.delay is not None or", MESSAGES,
    ),
    Fault(
        "messages: phoneNumber is not the recipient", "service/schemas.py",
        'to=self.to or self.phone_number or ""', 'to=self.to or ""', MESSAGES,
    ),
    Fault(
        "messages: metadata takes the place of named fields", "service/messaging/sms.py",
        "if name not in named}", "}", MESSAGES,
    ),
    Fault(
        "messages: the time goes unheeded", "service/api/messages.py",
        "at=body.scheduled_for)", "at=None)", MESSAGES,
    ),
    Fault(
        "provider: each attempt has a key of its own", "service/messaging/sms.py",
        "key=ctx.idempotency_key", "key=f\"{ctx.idempotency_key}-{ctx.attempt}\"", MESSAGES,
    ),
    Fault(
        "provider: its refusal is tried again", "service/messaging/provider.py",
        "            raise Fail(reason)\n", "            raise ProviderError(reason)\n", MESSAGES,
    ),
    Fault(
        "provider: it may ask for any patience", "service/messaging/provider.py",
        "min(wait, self._longest_wait)", "wait", MESSAGES,
    ),
    Fault(
        "provider: a redirect is followed", "service/messaging/provider.py",
        "allow_redirects=False", "allow_redirects=True", MESSAGES,
    ),
    Fault(
        "provider: a busy one is asked again at once", "service/messaging/provider.py",
        "if status in (429, 503):", "if status == 503:", MESSAGES,
    ),
    Fault(
        "provider: its answer is read to its end", "service/messaging/provider.py",
        "        if len(answer) >= limit:\n            break\n", "", MESSAGES,
    ),
    Fault(
        "problems: an error of ours shows its inside", "service/problems.py",
        "    except Exception:\n        log.exception(\"request %s: %s %s failed\", request[REQUEST_ID], request.method, request.path)\n"
        '        return _answer(request, Problem(500, "internal", "The server failed; its log has the request id."))',
        '    except Exception as error:\n        log.exception("request %s failed", request[REQUEST_ID])\n'
        '        return _answer(request, Problem(500, "internal", repr(error)))', PROBLEMS,
    ),
    Fault(
        "problems: an outage does not say when to come back", "service/problems.py",
        'detail, headers={"Retry-After": seconds})', "detail)", PROBLEMS,
    ),
    Fault(
        "log: health checks write lines", "service/access.py",
        "if response.status < 400 and request.method in _QUIET:", "if response.status < 400 and request.method == 0:", PROBLEMS,
    ),
)  # fmt: skip
