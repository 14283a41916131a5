"""What people mistype is answered in one sentence that names the mistake and the next step, and by an exit code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ..commands import Call, run_all, sentence

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
    ("schedule preview", 2, "name a schedule, or say when one would run: --cron, --every or --at"),
    ("schedule preview --every 5 --zone Europe/Berln", 2, "did you mean Europe/Berlin"),
    ("schedule preview --every 5 --blackout 22:00", 2, "a black-out window is FROM/TO"),
    ("schedule preview --at tomorrow", 2, "write it as 2030-01-31T09:00:00Z"),
    ("retry q 1-0", 2, "there is no command 'retry': did you mean job retry?"),
    ("probe", 2, "Missing argument '{live|ready}'. Choose from: live, ready (see streamq probe --help)"),
    ("job get", 2, "Missing argument 'QUEUE'"),
    ("job get q 1-0 more", 2, "unexpected extra argument"),
    ("job ls q --limit 0", 2, "0 is not in the range 1<=x<=200"),
    ("job ls q --limit -1", 2, "-1 is not in the range"),
    ("job ls q --limit 99999999999999999999999", 2, "is not in the range"),
    ("job ls q --limit " + "9" * 5_000, 2, "Invalid value for '--limit': '9999"),
    ("job ls q --state lost", 2, "'lost' is not one of"),
    ("job enqueue a/b t", 2, "'a/b' is no name: "),
    ("job enqueue q t --delay soon", 2, "'soon' is not a duration: write seconds"),
    ("job enqueue q t --wait -1", 2, "'-1' is not a duration"),
    ("job enqueue q t --timeout nan", 2, "'nan' is not a duration"),
    ("job enqueue q t --timeout 1e999", 2, "'1e999' is not a duration"),
    ("job enqueue q t --attempts 1.5", 2, "'1.5' is not a valid integer"),
    ("job enqueue q t --at soon", 2, "'soon' must be an RFC 3339 time: write it as 2030-01-31T09:00:00Z"),
    ("job enqueue q t --at 2030-01-31T09:00:00", 2, "has no time zone: write it as 2030-01-31T09:00:00Z"),
    ("job enqueue q t --durability disk", 2, "'disk' is not one of 'memory', 'fsync', 'replica'"),
    ("job enqueue q t --tags a", 2, "--tags is reserved for an option that is not available yet"),
    ("job enqueue q t --payload {", 2, "the payload is not JSON"),
    ("job enqueue q t --payload @nofile.json", 2, "the payload cannot be read from nofile.json: No such file"),
    ("job enqueue q t --payload @.", 2, "the payload cannot be read from .: Is a directory"),
    ("worker tasks:app --concurrency 0", 2, "0 is not in the range"),
    ("worker tasks:app --processes 0", 2, "0 is not in the range"),
    ("up --port 99999", 2, "99999 is not in the range 0<=x<=65535"),
    ("probe alive", 2, "'alive' is not one of 'live', 'ready'"),
    ("queues --redis-url nonsense", 78, "it must begin with redis://"),
    ("queues --redis-url redis://h:99999", 78, "h"),
    ("api --host 0.0.0.0", 78, "without API keys"),
    ("worker", 2, "which app? Name it as module:attribute, as in tasks:app, or set STREAMQ_APP"),
    ("queue get a/b", 2, "'a/b' is no name: "),
    ("job ls a${IFS}b", 2, "'a b' is no name: "),
    ("audit ls --queue a:b", 2, "'a:b' is no name: "),
    ("schedule get a/b", 2, "'a/b' is no name: "),
    ("key create --queue a/b", 2, "'a/b' is no name: "),
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
                "the folder /proc/nothing cannot be made: No such file",
            ),
            (
                Call(("up", "--data-dir", "tasks.py/x"), "", {}),
                78,
                "tasks.py/x cannot be made: Not a directory",
            ),
            (Call(("api", "--port", port), "", KEYED), 78, f"port {port} is taken"),
            (Call(("api", "--host", "nosuch.invalid"), "", KEYED), 78, "cannot listen on nosuch.invalid"),
            (Call(("api", "--host", "a..b"), "", KEYED), 78, "cannot listen on a..b"),
            (Call(("worker", f"{ESC}:app"), "", NOWHERE), 2, r"'\x1b[2J"),
            (
                Call(("queues",), "", {"STREAMQ_DATA_DIR": f"/nowhere/{ESC}"}),
                78,
                r"/nowhere/\x1b[2J\x1b]0;owned\x07\u202e",
            ),
            (Call(("job", "get", ESC, ESC), "", NOWHERE), 2, r"'\x1b[2J"),
            (Call((ESC,), "", NOWHERE), 2, r"there is no command '\x1b[2J"),
            (Call(("queues", f"--{ESC}"), "", NOWHERE), 2, r"\x1b[2J"),
            (
                Call(("worker",), "", {**NOWHERE, "STREAMQ_APP": "tsks:app"}),
                78,
                "STREAMQ_APP: there is no module",
            ),
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
    assert [ended.code for ended in ends] == [2, 78, 69, 69, 69, 69], ends
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


SOCKET_IN_A_LOOP = """
import asyncio, streamq
async def main():
    server = await asyncio.start_unix_server(print, "socket")
    with open("number", "w") as file:
        file.write(str(server.sockets[0].fileno()))
    server.close()
    await server.wait_closed()
streamq.run(main())
"""


def test_a_program_whose_standard_streams_are_closed_runs_as_any_other(folder: Path) -> None:
    """Their numbers are free then: a connection would be the file that errors are written to."""
    words = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, SOCKET_IN_A_LOOP]
    assert subprocess.run(words, cwd=folder, check=False).returncode == 0
    assert int((folder / "number").read_text()) > 2


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


def test_the_table_of_exit_codes_covers_every_error() -> None:
    from streamq import errors
    from streamq.cli.ending import code_of
    from streamq.exits import Exit

    kinds: list[type[errors.StreamqError]] = [errors.StreamqError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {code_of(kind.__new__(kind)) for kind in kinds} <= set(Exit)


def test_help_of_every_command_has_an_example() -> None:
    import click

    from streamq.cli import main

    def walk(command: click.Command, context: click.Context) -> list[str]:
        if isinstance(command, click.Group):
            below = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
            return [found for name, inner in below if inner for found in walk(inner, context)]
        return [] if "Example" in (command.help or "") else [str(command.name)]

    assert walk(main, click.Context(main)) == []


def test_the_list_of_commands_says_of_each_what_its_own_help_says() -> None:
    """It is read from their sources, as importing them all would take longer than all else."""
    script = (
        "import sys; from streamq.cli import main, _sketch, _OURS, _registered\n"
        "import click\n"
        "homes = {entry.name: entry.value for entry in _registered()} | _OURS\n"
        "sketches = {name: _sketch(home).get_short_help_str(90) for name, home in homes.items()}\n"
        "ours = {'streamq.cli.options', 'streamq_service.run.commands', 'streamq_bench.commands'}\n"
        "loaded = ours & sys.modules.keys()\n"
        "assert len(homes) > 10 and not loaded, loaded\n"
        "context = click.Context(main)\n"
        "assert sketches == {name: main.get_command(context, name).get_short_help_str(90) for name in homes}\n"
        "from streamq import Settings\n"
        "from streamq.settings.variables import unknown\n"
        "def options(command, prefix):\n"
        "    for each in getattr(command, 'commands', {}).values():\n"
        "        yield from options(each, prefix + each.name.upper() + '_')\n"
        "    for option in command.params:\n"
        "        if isinstance(option, click.Option) and option.allow_from_autoenv:\n"
        "            yield option.envvar or prefix + option.name.upper()\n"
        "known = {name for names in Settings.variables().values() for name in names}\n"
        "for name in homes:\n"
        "    theirs = dict.fromkeys(options(main.get_command(context, name), f'STREAMQ_{name.upper()}_'), '1')\n"
        "    assert not unknown(theirs, known), f'{name}: a role would say that they have no effect'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(entry for entry in sys.path if entry)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


HELP_OF_ALL = """
import sys, click
from streamq.cli import main
HEAVY = {"streamq.app", "streamq.settings", "pydantic", "redis", "aiohttp", "uvloop"}

def walk(command, path, context):
    yield path, command
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        yield from walk(command.get_command(context, name), (*path, name), context)

seen = 0
for path, command in walk(main, ("streamq",), click.Context(main)):
    command.get_help(click.Context(command, info_name=path[-1]))
    loaded = HEAVY & sys.modules.keys()
    assert not loaded, f"{' '.join(path)} --help loads {', '.join(sorted(loaded))}"
    seen += 1
assert seen > 80, seen
"""


def test_the_help_of_no_command_loads_the_app_or_what_talks_to_a_server() -> None:
    """One process sees all of them: what the help of one loads, is told with its name."""
    done = subprocess.run(
        [sys.executable, "-c", HELP_OF_ALL], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(entry for entry in sys.path if entry)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
