"""How log lines are written: whatever a record holds, and wherever standard error goes."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamq import App, InvalidPayload, JobFilter, set_up_logs
from streamq.logs import CURRENT, FIELDS, INDENT, LONGEST_TRACE, Console, Json, StandardError
from streamq.model.shown import shown

from ..commands import Call, run_all
from ..docs.markdown import blocks
from ..house.source import ROOT
from ..rig import ON_ONE_SERVER, working

HOSTILE = "\x1b[31m\r\n\t\x00\x7f\x9b\u202e\u2066\u2028\ud800\udfff\U000e0041é😀 "

texts = st.text(
    st.one_of(st.sampled_from(HOSTILE), st.characters()),
    max_size=30,
)  # fmt: skip


class Nasty(Exception):
    """An error whose text is somebody else's."""


class Told:
    """What runs, as the runner has it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def fields(self) -> dict[str, object]:
        """With the same text in all that a job brings along."""
        text = self._text
        return {
            "job": text,
            "queue": text,
            "task": text,
            "attempt": 1,
            "attempts": 5,
            "worker": text,
            "trace_id": text,
        }


def record_of(text: str) -> logging.LogRecord:
    """A record with the text in every place."""
    exc_info: Any = None
    try:
        raise Nasty(text)  # noqa: TRY301  # it needs a traceback
    except Nasty as error:
        exc_info = (Nasty, error, error.__traceback__)
    record = logging.LogRecord(f"a{text}", logging.INFO, __file__, 1, "it says %s", (text,), exc_info)
    record.__dict__["extra"] = text
    record.__dict__["nested"] = {text: [text]}
    return record


def as_formatted(formatter: logging.Formatter, text: str) -> str:
    """Formatted while a job of that text runs."""
    token = CURRENT.set(Told(text))
    try:
        return formatter.format(record_of(text))
    finally:
        CURRENT.reset(token)


@settings(max_examples=200, deadline=None)
@given(texts)
@example("x\n12:00:00   job        send-sms 1-0 attempt 1/5 completed in 1 ms")
@example("\x1b]0;title\x07\x1b[2J\u202egnp.exe")
def test_on_the_console_no_text_forges_a_line_or_reaches_the_terminal(text: str) -> None:
    first, *others = as_formatted(Console(), text).split("\n")
    assert first[2] == first[5] == ":"
    assert all(line.startswith(INDENT) for line in others)
    assert all(shown(line) == line for line in (first, *others)), "a character that nobody sees"


@settings(max_examples=200, deadline=None)
@given(texts)
@example('"}\n{"level":"info"')
def test_in_json_every_text_is_itself_on_one_line_of_ascii(text: str) -> None:
    line = as_formatted(Json(), text)
    assert line.isascii()
    assert line.isprintable()
    said = json.loads(line)
    whole = text.encode("utf-8", "backslashreplace").decode()  # half a character has no place in JSON
    assert said["message"] == f"it says {whole}"
    assert {said.get(name, "") for name in ("job", "queue", "task", "worker", "trace_id", "extra")} == {whole}
    assert (said["attempt"], said["attempts"], said["level"]) == (1, 5, "info")
    assert whole in said["exception"] or not whole.strip()


class Mute:
    """What raises whenever it is asked for its text."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


class MuteError(Exception):
    """An error that does."""

    __str__ = __repr__ = Mute.__repr__


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize("formatter", [Console(), Json()])
@pytest.mark.parametrize(
    ("message", "arguments", "extra"),
    [
        ("%d jobs", ("many",), 1),
        ("%s and %s", ("one",), 1),
        ("%s", (Mute(),), 1),
        (Mute(), (), 1),
        ("fine", (), Mute()),
        ("fine", (), ENDLESS),
        ("fine", (), {1, 2}),
        ("fine", (), {Mute(): 1}),
        ("fine", (), 10**400),
        ("fine", (), float("nan")),
        ("fine", (), b"\xff"),
        ("fine", (), "\ud800"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_written_is_told_all_the_same(
    formatter: logging.Formatter, message: Any, arguments: tuple[Any, ...], extra: object
) -> None:
    error = MuteError()
    record = logging.LogRecord(
        "shop", logging.ERROR, __file__, 1, message, arguments, (MuteError, error, None)
    )
    record.__dict__["extra"] = extra
    line = formatter.format(record)
    assert "shop" in line
    assert "MuteError" in line
    assert ("fine" if message == "fine" else "cannot be written") in line


@pytest.mark.parametrize("formatter", [Console(), Json()])
def test_of_an_endless_error_the_begin_and_the_end_are_written(formatter: logging.Formatter) -> None:
    error = ValueError("x" * 5_000_000 + "the end")
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "failed", (), (ValueError, error, None))
    line = formatter.format(record)
    assert len(line) < LONGEST_TRACE + 1_000
    assert "ValueError: xx" in line
    assert "characters ..." in line
    assert "the end" in line


def test_a_format_may_name_any_field_in_and_outside_of_jobs() -> None:
    formatter = logging.Formatter(" ".join(f"%({name})s" for name in FIELDS))
    outside, own = record_of("x"), record_of("x")
    own.__dict__.update(job="mine", queue=7)
    for record in (outside, own):
        assert JobFilter().filter(record)
    assert [outside.__dict__[name] for name in FIELDS] == [""] * len(FIELDS)
    assert (own.__dict__["job"], own.__dict__["queue"], own.__dict__["task"]) == ("mine", 7, "")
    assert formatter.format(own).startswith("mine 7 ")


# -- standard error -----------------------------------------------------------------------------------------------


def _nobody_reads() -> Any:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", buffering=1)


def _closed() -> Any:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("broken", [lambda: None, _closed, _nobody_reads], ids=["none", "closed", "unread"])
def test_a_closed_standard_error_ends_nothing(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = StandardError()
    handler.setFormatter(Console())
    stream = broken()
    monkeypatch.setattr(sys, "stderr", stream)
    for _ in range(3):
        handler.handle(record_of("x"))
    monkeypatch.undo()
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()


def test_a_standard_error_that_nobody_reads_holds_up_who_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    handler = StandardError()
    handler.setFormatter(Console())
    with os.fdopen(writer, "w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        logs = threading.Thread(target=handler.handle, args=(record_of("x"),), daemon=True)
        logs.start()
        logs.join(0.2)
        assert logs.is_alive()
        os.read(reader, 1 << 20)
        logs.join(10)
        assert not logs.is_alive()
        monkeypatch.undo()
    os.close(reader)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("formatter", [Console(), Json()])
def test_a_standard_error_of_any_encoding_takes_any_text(
    encoding: str, formatter: logging.Formatter, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, encoding, errors="strict"))
    handler = StandardError()
    handler.setFormatter(formatter)
    handler.handle(record_of("é\u202e\ud800😀"))
    said = written.getvalue().decode(encoding)
    assert "it says" in said
    assert said.endswith("\n")
    assert ("😀" in said) is (encoding == "utf-8" and isinstance(formatter, Console))


# -- who is asked to write ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def bare_root() -> Iterator[logging.Logger]:
    """The root logger as a new process has it; pytest puts handlers of its own there when a test begins."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)


def test_a_role_prints_the_records_of_all_loggers_and_each_once(capsys: pytest.CaptureFixture[str]) -> None:
    with bare_root():
        set_up_logs("console", "info")
        set_up_logs("json", "info")  # the last counts
        for name in ("streamq.worker", "shop", "asyncio", "aiohttp.server"):
            logging.getLogger(name).info("a line of %s", name)
            logging.getLogger(name).debug("not this")
        said = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
        assert said == [
            f"a line of {name}" for name in ("streamq.worker", "shop", "asyncio", "aiohttp.server")
        ]
        set_up_logs("console", "error")
        logging.getLogger("shop").warning("not this either")
        assert capsys.readouterr().err == ""


def test_logging_that_the_program_has_set_up_is_left_as_it_is_and_gets_the_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with bare_root() as bare:
        logging.basicConfig(format="%(levelname)s %(message)s [%(job)s]", level=logging.INFO)
        set_up_logs("json", "debug")
        set_up_logs("json", "debug")
        assert (len(bare.handlers), bare.level) == (1, logging.INFO)
        token = CURRENT.set(Told("17-0"))
        logging.getLogger("shop").info("paid")
        CURRENT.reset(token)
        logging.getLogger("streamq.worker").debug("not this")
        assert capsys.readouterr().err == "INFO paid [17-0]\n"


@ON_ONE_SERVER
async def test_as_a_library_nothing_is_installed(app: App) -> None:
    app.task(queue="q", name="echo")(lambda x: x)
    with bare_root() as bare:
        async with working(app):
            assert await (await app.enqueue("q", "echo", 1)).result(5) == 1
        assert (bare.handlers, bare.level) == ([], logging.WARNING)


def test_a_handler_that_prints_is_a_log_whatever_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    with bare_root() as bare:
        prints = logging.StreamHandler(sys.stderr)
        prints.setLevel(logging.ERROR)
        bare.addHandler(prints)
        set_up_logs("json", "info")
        assert bare.handlers == [prints]
        logging.getLogger("shop").error("lost")
        assert capsys.readouterr().err == "lost\n"


def test_a_role_leaves_the_logging_of_the_page_as_its_module_has_set_it_up(tmp_path: Path) -> None:
    """Its own is set up after the module is loaded, or there would be both."""
    (block,) = (b for b in blocks(ROOT / "docs/how-to/logs.md") if "dictConfig" in b.text)
    no_word = re.sub('.*"disable_existing_loggers".*\n', "", block.text)
    for name, text in {"page": block.text, "silent": no_word}.items():
        module = (
            f"from streamq import App\n{text}\napp = App()\n@app.task\nasync def work(x: int) -> None: ...\n"
        )
        (tmp_path / f"{name}.py").write_text(module)
    environment = {
        "STREAMQ_REDIS_URL": "unix:///nonexistent/s", "STREAMQ_READY_TIMEOUT": "50ms", "STREAMQ_LOG": "json",
        "STREAMQ_CONCURENCY": "7",
    }  # fmt: skip
    calls = [Call(("worker", f"{name}:app"), environment=environment) for name in ("page", "silent")]
    for ended in run_all(tmp_path, calls):
        first = ended.err.splitlines()[0]
        assert re.fullmatch(r"WARNING streamq.settings STREAMQ_CONCURENCY is no setting .* \[\]", first), (
            ended
        )
        assert '{"at"' not in ended.err


def test_a_handler_for_errors_alone_stays_beside_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with bare_root() as bare:
        tracked: list[logging.LogRecord] = []
        tracker = logging.Handler(logging.ERROR)
        tracker.emit = tracked.append  # type: ignore[method-assign]
        bare.addHandler(tracker)
        set_up_logs("console", "info")
        logging.getLogger("shop").error("lost")
        assert capsys.readouterr().err.count("lost") == 1
        assert [(record.getMessage(), record.__dict__["job"]) for record in tracked] == [("lost", "")]


def test_a_level_that_the_program_gave_the_root_logger_stays(capsys: pytest.CaptureFixture[str]) -> None:
    with bare_root() as bare:
        bare.setLevel(logging.ERROR)
        set_up_logs("console", "info")
        logging.getLogger("shop").warning("not this")
        logging.getLogger("shop").error("this")
        assert capsys.readouterr().err.count("this") == 1


def test_a_payload_that_does_not_fit_is_told_once_and_a_handlers_error_with_its_traceback() -> None:
    unfit = InvalidPayload("confirm", [])
    how = (InvalidPayload, unfit, None)
    line = logging.LogRecord("streamq.job", logging.ERROR, "", 0, f"could not be run: {unfit}", (), how)
    assert Console().format(line).count("is not valid") == 1
    assert "InvalidPayload" in json.loads(Json().format(line))["exception"], "a machine keeps its type"
    line.name = "shop"
    assert Console().format(line).count("is not valid") == 2, "whoever gives an exception of his own sees it"
