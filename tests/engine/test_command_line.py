"""What people mistype is answered in one sentence that names the mistake and the next step, and by an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from streamq import App, Fail

from ..commands import Call, Ended, run_all
from ..rig import ON_ONE_SERVER, until, working

NOWHERE = {"STREAMQ_REDIS_URL": "unix:///nonexistent/s", "STREAMQ_READY_TIMEOUT": "50ms"}
KEYED = {"STREAMQ_API_KEYS": "0123456789abcdef0123456789abcdef=admin", **NOWHERE}
ESC = "\x1b[2J\x1b]0;owned\x07\u202e"
SHOP = """
from streamq import App
app = App()
print("a word of the module")
@app.task(queue="sms")
async def send_sms(to: str) -> None: ...
def create_app() -> App:
    return app
"""
MODULES = {
    "tasks": SHOP,
    "lacks": "import os\ndef begin():\n    os.nothing_there\nbegin()\n",
    "imports": "import requsts\n",
    "syntax": "def f(:\n",
    "exits": "import sys\nsys.exit(3)\n",
    "raises": f"raise ValueError({ESC!r} + '\\nerror: forged')\n",
    "circular": "import circular2\nx = 1\n",
    "circular2": "from circular import x\n",
    "bad_queue": "from streamq import App\napp = App()\n@app.task(queue='a b')\nasync def f(x): ...\n",
    "hooked": "def __getattr__(name):\n    raise OSError('no disk')\n",
    "deep": "def f():\n    f()\nf()\n",
}

# what is typed, the exit code, and what the one line on stderr says
WRONG: list[tuple[str, int, str]] = [
    ("wrker", 2, "there is no command 'wrker': did you mean worker?"),
    ("job gte", 2, "there is no command 'gte': did you mean get?"),
    ("job ls --limt 5 q", 2, "'--limt'. Did you mean '--limit'? (see streamq job ls --help)"),
    ("job get", 2, "Missing argument 'QUEUE'"),
    ("job get q 1-0 more", 2, "unexpected extra argument"),
    ("job ls q --limit 0", 2, "0 is not in the range 1<=x<=200"),
    ("job ls q --limit -1", 2, "-1 is not in the range"),
    ("job ls q --limit 99999999999999999999999", 2, "is not in the range"),
    ("job ls q --limit " + "9" * 5_000, 2, "Invalid value for '--limit': '9999"),
    ("job ls q --state lost", 2, "'lost' is not one of"),
    ("job enqueue q t --delay soon", 2, "'soon' is not a duration: write seconds"),
    ("job enqueue q t --wait -1", 2, "'-1' is not a duration"),
    ("job enqueue q t --timeout nan", 2, "'nan' is not a duration"),
    ("job enqueue q t --timeout 1e999", 2, "'1e999' is not a duration"),
    ("job enqueue q t --attempts 1.5", 2, "'1.5' is not a valid integer"),
    ("job enqueue q t --payload {", 2, "the payload is not JSON"),
    ("job enqueue q t --payload @nofile.json", 2, "the payload cannot be read from nofile.json: No such file"),
    ("job enqueue q t --payload @.", 2, "the payload cannot be read from .: Is a directory"),
    ("worker tasks:app --concurrency 0", 2, "0 is not in the range"),
    ("worker tasks:app --processes 0", 2, "0 is not in the range"),
    ("up --port 99999", 2, "99999 is not in the range 0<=x<=65535"),
    ("probe alive", 2, "'alive' is not one of 'live', 'ready'"),
    ("queues --redis-url nonsense", 78, "use redis://"),
    ("queues --redis-url redis://h:99999", 78, "h"),
    ("api --host 0.0.0.0", 78, "without API keys"),
    ("worker", 2, "which app? Name it as module:attribute, as in tasks:app, or set STREAMQ_APP"),
    ("worker tasks", 2, "'tasks' does not name an app: write tasks:app"),
    ("worker tasks:", 2, "write tasks:app"),
    ("worker :app", 2, "write module:attribute, as in tasks:app"),
    ("worker tasks.py:app", 2, "write tasks:app"),
    ("worker ./tasks.py:app", 2, "write tasks:app"),
    ("worker tasks/jobs:app", 2, "write tasks.jobs:app"),
    ("worker tasks/jobs.py:app", 2, "write tasks.jobs:app"),
    ("worker tasks:ap", 2, "module 'tasks' has no 'ap', which 'tasks:ap' names: did you mean app?"),
    ("worker tsks:app", 2, "there is no module 'tsks', which 'tsks:app' names: did you mean tasks?"),
    ("worker tasks.jobs:app", 2, "tasks is no package"),
    ("worker tasks:create_app", 2, "is a function, not a streamq App: did you mean tasks:app?"),
    ("worker tasks:create_app()", 2, "write app = create_app() in the module, and name it as tasks:app"),
    ("worker tasks:App", 2, "is a class, not a streamq App: did you mean tasks:app?"),
    ("worker tasks:send_sms", 2, "is a Task, not a streamq App: did you mean tasks:app?"),
    ("worker tasks:app.x", 2, "an App has no 'x'"),
    ("worker queue:app", 2, "if you mean one of your own, give that another name"),
    ("worker $(touch${IFS}owned):app", 2, "does not name an app"),
    ("worker tasks:app;touch${IFS}owned", 2, "does not name an app"),
    ("worker tasks:app --queues smss", 78, "no task of the app is declared on queue 'smss': did you mean sms?"),
    ("worker tasks:app --queues $(touch${IFS}owned)", 78, "is declared on queue '$(touch owned)'"),
    ("up nowhere:app", 2, "there is no module 'nowhere'"),
    ("api tasks:ap", 2, "did you mean app?"),
]  # fmt: skip

BROKEN: list[tuple[str, str, str]] = [
    ("lacks", "AttributeError: module 'os' has no attribute 'nothing_there'", 'lacks.py", line 3, in begin'),
    ("imports", "ModuleNotFoundError: No module named 'requsts'", 'imports.py", line 1'),
    ("syntax", "SyntaxError: invalid syntax", 'syntax.py", line 1'),
    ("exits", "it ends the program while it is imported", 'exits.py", line 2'),
    ("raises", "ValueError: \\x1b[2J", 'raises.py", line 1'),
    ("circular", "circular import", 'circular2.py", line 1'),
    ("bad_queue", "'a b' cannot name a queue", 'bad_queue.py", line 3'),
    ("hooked", "OSError: no disk", 'hooked.py", line 2'),
    ("deep", "RecursionError", 'deep.py", line 2'),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules of a user's."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def words(typed: str) -> list[str]:
    return [word.replace("${IFS}", " ") for word in typed.split()]


def sentence(ended: Ended) -> str:
    """The one line that it says; for an unreachable server there is a second with what to try."""
    first, *more = ended.err.rstrip("\n").split("\n")
    assert first.startswith("error: "), ended
    assert not more or (ended.code == 69 and [line[:5] for line in more] == ["try: "]), ended
    assert "Traceback" not in ended.out + ended.err, ended
    assert first.isprintable(), ended
    assert len(first) < 2_100
    return first


def test_a_mistake_is_one_sentence_and_a_documented_exit_code(folder: Path) -> None:
    calls = [Call(words(typed), environment=NOWHERE) for typed, _, _ in WRONG]
    for (typed, code, said), ended in zip(WRONG, run_all(folder, calls), strict=True):
        assert said in sentence(ended), typed
        assert ended.code == code, ended
    assert not (folder / "owned").exists()


def test_odd_input_and_odd_places_are_one_sentence_too(folder: Path) -> None:
    enqueue = ("job", "enqueue", "q", "t", "--payload")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        odd = [
            (Call((*enqueue, "-"), "\xff\xfe", NOWHERE), 2, "the payload is not JSON"),
            (Call((*enqueue, "-"), None, NOWHERE), 2, "the payload is not JSON"),
            (Call((*enqueue, "\udcff"), "", NOWHERE), 2, "the payload is not JSON"),
            (Call(("job", "enqueue", "q", "\udcff"), "", NOWHERE), 69, "cannot reach the server"),
            (
                Call(("up", "--data-dir", "/proc/nothing"), "", {}),
                78,
                "cannot use /proc/nothing: No such file",
            ),
            (Call(("up", "--data-dir", "tasks.py/x"), "", {}), 78, "/tasks.py/x: Not a directory"),
            (Call(("api", "--port", port), "", KEYED), 78, f"port {port} is taken"),
            (Call(("api", "--host", "nosuch.invalid"), "", KEYED), 78, "cannot listen on nosuch.invalid"),
            (Call(("api", "--host", "a..b"), "", KEYED), 78, "cannot listen on a..b"),
            (Call(("worker", f"{ESC}:app"), "", NOWHERE), 2, r"'\x1b[2J"),
            (
                Call(("queues",), "", {"STREAMQ_DATA_DIR": f"/nowhere/{ESC}"}),
                78,
                r"/nowhere/\x1b[2J\x1b]0;owned\x07\u202e",
            ),
            (Call(("job", "get", ESC, ESC), "", NOWHERE), 78, r"'\x1b[2J"),
            (Call((ESC,), "", NOWHERE), 2, r"there is no command '\x1b[2J"),
            (Call(("queues", f"--{ESC}"), "", NOWHERE), 2, r"\x1b[2J"),
            (Call(("queues",), "", NOWHERE), 69, "cannot reach the server"),
            (
                Call(("queues",), "", {**NOWHERE, "STREAMQ_CONNECT_TIMEOUT": "5 minutes"}),
                78,
                "is not a duration",
            ),
        ]
        ends = run_all(folder, [call for call, _, _ in odd])
    for (_, code, said), ended in zip(odd, ends, strict=True):
        assert said in sentence(ended)
        assert ended.code == code, ended


def test_an_app_that_cannot_be_loaded_is_told_in_the_users_own_lines(folder: Path) -> None:
    calls = [Call(("worker", f"{name}:app"), environment=NOWHERE) for name, _, _ in BROKEN]
    for (name, said, line), ended in zip(BROKEN, run_all(folder, calls), strict=True):
        assert ended.code == 78, ended
        first, *more = ended.err.rstrip("\n").split("\n")
        assert first.startswith(f"error: '{name}:app' cannot be loaded: "), ended
        assert said in first
        assert line in ended.err
        assert all(text.startswith("  ") and text.isprintable() for text in more), ended
        assert len(more) < 60
        assert "Traceback" not in ended.err
        assert "streamq/" not in ended.err.replace(str(folder), "")


def test_only_up_and_the_api_fall_back_to_the_messaging_app(folder: Path) -> None:
    named = {**NOWHERE, "STREAMQ_APP": "tasks:ap"}
    calls = [
        Call(("worker",), environment=NOWHERE),
        Call(("worker",), environment=named),
        Call(("scheduler",), environment=NOWHERE),
        Call(("reclaimer",), environment=NOWHERE),
        Call(("up", "--port", "0"), environment=NOWHERE),
        Call(("worker", "tasks:app"), environment=NOWHERE),
    ]
    ends = run_all(folder, calls)
    assert [ended.code for ended in ends] == [2, 2, 69, 69, 69, 69], ends
    assert "STREAMQ_APP" in ends[0].err
    assert "did you mean app?" in ends[1].err
    assert ends[5].out == "a word of the module\n"


def test_a_command_whose_output_nobody_reads_ends_without_a_word(folder: Path) -> None:
    full = Call(("probe", "live"), stdout="/dev/full")
    closed = Call(("probe", "live"), stdout="closed")
    ends = run_all(folder, [full, closed, Call(("--help",), stdout="/dev/full")])
    assert [ended.code for ended in ends] == [1, 0, 1], ends
    assert "error: the output cannot be written: No space left on device\n" in ends[0].err
    assert ends[1].err == ""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        ended = subprocess.run(
            [sys.executable, "-m", "streamq", "probe", "live"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_durations_and_twins_are_taken_from_the_environment(folder: Path) -> None:
    calls = [
        Call(("job", "ls", "q"), environment={**NOWHERE, "STREAMQ_JOB_LS_LIMIT": "0"}),
        Call(("job", "enqueue", "q", "t"), environment={**NOWHERE, "STREAMQ_JOB_ENQUEUE_DELAY": "soon"}),
        Call(("sandbox", "--help"), environment={"STREAMQ_SANDBOX_PORT": "tcp://10.0.0.1:8025"}),
        Call(("queues",), environment={**NOWHERE, "STREAMQ_JSON": "1"}),
    ]
    limit, delay, sandbox, queues = run_all(folder, calls)
    assert (limit.code, delay.code, sandbox.code, queues.code) == (2, 2, 0, 69)
    assert "0 is not in the range" in limit.err
    assert "STREAMQ_SANDBOX_LEDGER" in sandbox.out


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_every_end_of_a_job_has_its_exit_code(
    folder: Path, app: App, server_url: str, prefix: str, client: redis.Redis
) -> None:
    @app.task(queue="sms", attempts=1)
    async def deliver(how: str) -> str:
        if how == "fail":
            raise Fail(f"{ESC}\nerror: forged")
        if how == "slow":
            await asyncio.sleep(60)
        return how

    sent = ("job", "enqueue", "sms", "deliver", "--payload")
    async with working(app) as worker:
        calls = [
            Call((*sent, '"ok"', "--wait", "10s", "--json")),
            Call((*sent, '"fail"', "--wait", "10s")),
            Call((*sent, '"slow"', "--wait", "50ms")),
            Call((*sent, "-", "--wait", "10s"), stdin='"ok"'),
            Call(("job", "get", "sms", "1-0")),
            Call(("job", "get", "smss", "1-0")),
            Call(("job", "ls", "smss")),
            Call(("job", "retry", "smss", "1-0", "--json")),
            Call(("job", "ls", "sms", "--cursor", "garbage")),
            Call(("job", "ls", "sms", "--state", "delayed")),
            Call(("job", "enqueue", "smss", "deliver", "--payload", '"x"', "--delay", "5m")),
            Call(("job", "get", "sms", ESC)),
            Call(("job", "get", "sms", "\udcff")),
        ]
        ends = await asyncio.to_thread(
            run_all, folder, calls, STREAMQ_REDIS_URL=server_url, STREAMQ_PREFIX=prefix
        )
        worker.stop()
        worker.stop()
    assert [ended.code for ended in ends] == [0, 1, 5, 0, 3, 3, 3, 3, 2, 0, 0, 3, 3], ends
    assert '"state":"completed"' in ends[0].out
    assert "did not end within 0.05 s; it goes on" in sentence(ends[2])
    assert "no job '1-0'" in sentence(ends[4])
    assert [sentence(ended) for ended in ends[5:8]] == [
        "error: there is no queue 'smss': did you mean sms?"
    ] * 3
    assert '"code":"queue-not-found"' in ends[7].out
    assert "garbage" in sentence(ends[8])
    assert ends[9].err == ""
    assert ends[10].err == "warning: queue 'smss' is new: no worker has served it: did you mean sms?\n"
    for ended in (ends[1], ends[11], ends[12]):
        sentence(ended)


@ON_ONE_SERVER
async def test_ctrl_c_ends_with_130_and_says_that_the_job_goes_on(
    folder: Path, server_url: str, prefix: str, client: redis.Redis
) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "streamq", "job", "enqueue", "sms", "deliver", "--wait", "5m"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
        env={**os.environ, "STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix},
    )  # fmt: skip
    try:
        await until(lambda: client.xlen(f"{prefix}:{{sms}}:ready"), 20)
        await until(lambda: client.pubsub_channels(f"{prefix}*"), 20)
        waiting.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(waiting.communicate, timeout=20)
    finally:
        waiting.kill()
        client.flushall()
    assert waiting.returncode == 130
    assert b"Traceback" not in err
    assert b" goes on: streamq job get sms " in err
    assert out == b""


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_no_character_of_a_job_acts_on_the_terminal(
    folder: Path, app: App, server_url: str, prefix: str, client: redis.Redis
) -> None:
    """Names, payloads, errors and workers as anyone with the password may write them."""
    hostile = f"{ESC}\nok    forged line\r\x9b2J"
    async with working(app, queues=["q"]):
        await app.enqueue("q", ESC, {"text": hostile, hostile: 1})
        headers = '{"attempt":1,"history":[{"type":%s,"message":%s,"worker":%s,"attempt":1}]}'
        quoted = '"' + "\\u001b[2J\\u202e\\nerror: forged" + '"'
        client.xadd(
            f"{prefix}:{{w}}:ready",
            {"task": hostile, "payload": hostile, "headers": headers % (quoted, quoted, quoted)},
        )
        client.sadd(f"{prefix}:queues", "w", hostile)
        client.hset(f"{prefix}:workers", hostile, '{"host":"\\u001b[2J"}')
        client.hset(
            f"{prefix}:{{w}}:finished",
            "5-0",
            f'f1 2 {hostile.replace(chr(10), "")}\n{ESC}\n\n{{"type":{quoted},"message":{quoted}}}\n{{}}',
        )
        client.zadd(f"{prefix}:{{w}}:failures", {"5-0": 5})
        looks = [
            ("queues",), ("workers",), ("job", "ls", "w", "--state", "waiting"), ("job", "ls", "w"),
            ("job", "get", "w", "5-0"), ("job", "ls", "q", "--state", "delayed"), ("doctor",),
            ("job", "retry", "w", "5-0"), ("job", "enqueue", "q", hostile), ("job", "ls", "w", "--cursor", hostile),
        ]  # fmt: skip
        calls = [Call(look) for look in looks] + [Call((*look, "--json")) for look in looks]
        ends = await asyncio.to_thread(
            run_all, folder, calls, STREAMQ_REDIS_URL=server_url, STREAMQ_PREFIX=prefix
        )
    assert [ended.code for ended in ends[:6]] == [0] * 6, ends[:6]
    for ended in ends:
        for text in (ended.out, ended.err):
            assert all(line.isprintable() for line in text.split("\n")), ended
            assert not any(line.startswith(("ok    forged", "error: forged")) for line in text.split("\n")), (
                ended
            )
        assert "Traceback" not in ended.err, ended
    assert r"\x1b[2J" in ends[3].out
    assert r"\u001b[2J" in ends[len(looks) + 2].out


@ON_ONE_SERVER
async def test_a_task_that_is_sent_to_a_misspelt_queue_is_told_of_once(
    app: App, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    app.task(queue="sms", name="send_sms")(lambda x: x)
    app.task(queue="sms2", name="other")(lambda x: x)
    for queue in ("smss", "smss", "bulk", "sms2", "sms"):
        await app.enqueue(queue, "send_sms", 1)
    client.flushall()
    told = [record.getMessage() for record in caplog.records if record.name == "streamq.app"]
    assert told == ["task send_sms is sent to queue smss, on which no task is declared: did you mean sms?"]


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_queue_that_nothing_is_left_of_is_struck_off_the_list(app: App, client: redis.Redis) -> None:
    from streamq.worker.pruner import Pruner

    await app.enqueue("smss", "send_sms", 1)
    async with working(app, queues=["served"]):
        await app.enqueue("full", "send_sms", 1)
        pruner = Pruner(app.store, app.views, lambda: ["smss", "served", "full"])
        await until(app.workers)
        await pruner.once()
        assert await app.queues() == ["full", "served", "smss"]
        client.delete(app.store.keys("smss").ready)  # somebody cleans up by hand
        await pruner.once()
        assert await app.queues() == ["full", "served"]


def test_the_table_of_exit_codes_covers_every_error() -> None:
    from streamq import errors
    from streamq.cli.ending import CODES, code_of

    kinds: list[type[errors.StreamqError]] = [errors.StreamqError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {code_of(kind.__new__(kind)) for kind in kinds} <= set(CODES)


def test_help_of_every_command_has_an_example() -> None:
    import click

    from streamq.cli import main

    def walk(command: click.Command, context: click.Context) -> list[str]:
        if isinstance(command, click.Group):
            below = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
            return [found for name, inner in below if inner for found in walk(inner, context)]
        return [] if "Example" in (command.help or "") else [str(command.name)]

    assert walk(main, click.Context(main)) == []
