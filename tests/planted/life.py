"""Bugs of who shares what is open, who ends when, and whose settings count."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "a forked child goes on with its parent's connections",
        "streamq/client/opening.py",
        "os.register_at_fork(after_in_child=_begin_anew)",
        "",
        "tests/engine/test_forks.py::test_parent_and_child_add_what_each_was_told_is_added",
    ),
    Fault(
        "a forked child waits for its parent's background thread",
        "streamq/sync.py",
        "os.register_at_fork(after_in_child=_begin_anew)",
        "",
        "tests/engine/test_forks.py::test_parent_and_child_add_what_each_was_told_is_added",
    ),
    Fault(
        "who opens second does not wait for who opens first",
        "streamq/client/opening.py",
        "async with share.first:\n                if loop not in self._open:",
        "if share.blocks == 1:\n                if loop not in self._open:",
        "tests/engine/test_loops.py::test_who_is_cancelled_while_opening_spoils_nothing_for_who_waits",
    ),
    Fault(
        "an open that failed is never left",
        "streamq/client/opening.py",
        "await self.leave()\n            raise",
        "raise",
        "tests/engine/test_loops.py::test_an_open_that_failed_is_not_for_good",
    ),
    Fault(
        "the loops of an app share what is open",
        "streamq/client/opening.py",
        "return self._open[asyncio.get_running_loop()]",
        "return next(iter(self._open.values()))",
        "tests/engine/test_loops.py::test_a_loop_that_has_not_opened_the_app_is_told_how_to",
    ),
    Fault(
        "a loop that ended keeps its place",
        "streamq/client/opening.py",
        "if loop.is_closed():",
        "if False:",
        "tests/engine/test_loops.py::test_a_loop_that_ended_inside_its_block_is_forgotten",
    ),
    Fault(
        "app.sync blocks the event loop it is called in",
        "streamq/sync.py",
        "if running_loop() is not None:",
        "if False:",
        "tests/engine/test_sync.py::test_inside_an_event_loop_it_is_refused_with_the_way",
    ),
    Fault(
        "app.sync starts a loop for each call",
        "streamq/sync.py",
        "if _the_background is None:",
        "if True:",
        "tests/engine/test_sync.py::test_eight_threads_share_one_loop_and_one_set_of_connections",
    ),
    Fault(
        "a role throws the arguments of App away",
        "streamq/app.py",
        "kind.load(**{**given, ",
        "kind.load(**{",
        "tests/engine/test_settings.py::"
        "test_what_is_typed_wins_over_arguments_and_those_over_the_environment",
    ),
    Fault(
        "click reads the environment again",
        "streamq/cli/options.py",
        "    def resolve_envvar_value(self, ctx: click.Context) -> None:",
        "    def resolve_nothing(self, ctx: click.Context) -> None:",
        "tests/engine/test_roles.py::"
        "test_arguments_of_the_app_win_over_the_environment_and_sighup_ends_in_order",
    ),
    Fault(
        "workers are not told what was typed",
        "streamq/cli/roles.py",
        "options = codec.loads(supervised)",
        "pass",
        "tests/engine/test_roles.py::test_what_is_typed_reaches_every_worker_process",
    ),
    Fault(
        "SIGHUP kills a worker",
        "streamq/runtime.py",
        "(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)",
        "(signal.SIGTERM, signal.SIGINT)",
        "tests/engine/test_roles.py::"
        "test_arguments_of_the_app_win_over_the_environment_and_sighup_ends_in_order",
    ),
    Fault(
        "nohup is not heeded",
        "streamq/runtime.py",
        "if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]",
        "]",
        "tests/engine/test_roles.py::test_a_role_that_was_started_with_nohup_outlives_its_terminal",
    ),
    Fault(
        "the keeper does not end a rewriting child",
        "streamq/embedded/server.py",
        "await self._end_holders()  # a rewriting child may have outlived it",
        "",
        "tests/test_embedded_data.py::"
        "test_a_child_that_rewrites_the_file_and_outlives_its_server_holds_nothing_up_and_nothing_is_lost",
    ),
    Fault(
        "the keeper ends with an error that it did not expect",
        "streamq/embedded/server.py",
        "except Exception as error:  # whatever it is",
        "except ConfigurationError as error:  # whatever it is",
        "tests/test_embedded_data.py::test_the_keeper_goes_on_after_any_failure_and_says_each_once",
    ),
    Fault(
        "only the server itself is ended, not its children",
        "streamq/embedded/leftovers.py",
        "return os.getsid(pid) == session and",
        "return pid == session and",
        "tests/test_embedded_data.py::"
        "test_a_child_that_rewrites_the_file_and_outlives_its_server_holds_nothing_up_and_nothing_is_lost",
    ),
    Fault(
        "a folder that others may enter is used",
        "streamq/embedded/folder.py",
        "    if about.st_mode & 0o077:\n        raise",
        "    if False:\n        raise",
        "tests/test_embedded_strangers.py::test_a_folder_that_is_not_ours_alone_is_refused_with_what_to_do",
    ),
    Fault(
        "another user's folder is used",
        "streamq/embedded/folder.py",
        "    if about.st_uid != os.geteuid():\n        raise ConfigurationError(_not_ours(path, about))",
        "    if False:\n        raise ConfigurationError(_not_ours(path, about))",
        "tests/test_embedded_strangers.py::test_a_folder_of_another_user_is_refused",
    ),
    Fault(
        "a link in the folder is followed",
        "streamq/embedded/folder.py",
        "flags | os.O_NOFOLLOW | os.O_NONBLOCK",
        "flags | os.O_NONBLOCK",
        "tests/test_embedded_strangers.py::test_what_is_planted_in_the_folder_is_refused_and_left_as_it_is",
    ),
    Fault(
        "the recorded place of the socket is trusted",
        "streamq/embedded/folder.py",
        "return socket if _is_made_by_us(socket) else None",
        "return socket",
        "tests/test_embedded_strangers.py::test_a_recorded_place_that_is_not_ours_is_not_used",
    ),
    Fault(
        "another user's server is greeted",
        "streamq/redis/peers.py",
        "if uid is None or uid == os.geteuid():",
        "if True:",
        "tests/test_embedded_strangers.py::test_another_users_server_is_told_nothing",
    ),
    Fault(
        "an address of the embedded server is connected to like any other",
        "streamq/settings/location.py",
        'own_user = scheme == "unix" and text.endswith(OWN_USER)',
        "own_user = False",
        "tests/test_embedded_strangers.py::test_another_users_server_is_told_nothing",
    ),
    Fault(
        "a process is ended because it has a file open",
        "streamq/embedded/leftovers.py",
        "return os.getsid(pid) == session and",
        "return",
        "tests/test_embedded_strangers.py::test_a_process_is_not_ended_because_a_file_names_it",
    ),
    Fault(
        "the data can be read by others",
        "streamq/embedded/server.py",
        "umask 077; ",
        "",
        "tests/test_embedded_strangers.py::test_every_file_of_the_folder_is_ours_alone_whatever_the_umask",
    ),
    Fault(
        "the folder forgets its writer",
        "streamq/embedded/server.py",
        "if self._persist and not self.joined:",
        "if False:",
        "tests/test_embedded_data.py::test_data_of_another_program_is_read_or_its_writer_is_named",
    ),
    Fault(
        "an unknown setting is ignored",
        "streamq/settings/table.py",
        'refuse_unknown("setting", values, kind.model_fields)',
        "pass",
        "tests/engine/test_settings.py::test_an_unknown_argument_is_refused_with_the_one_that_may_be_meant",
    ),
    Fault(
        "a misspelt option is ignored",
        "streamq/options.py",
        'raise UsageError(f"{name!r} is not an argument',
        'print(f"{name!r} is not an argument',
        "tests/engine/test_arguments.py::test_a_misspelt_option_is_refused_with_the_one_that_is_meant",
    ),
    Fault(
        "a field of a task may bear the name of an option to come",
        "streamq/handlers.py",
        "if name in NAMES and len(reading.fields) > 1:",
        "if name in OPTIONS and len(reading.fields) > 1:",
        "tests/engine/test_handlers.py::test_parameters_that_cannot_be_told_apart_are_refused_where_they_are_declared",
    ),
)
