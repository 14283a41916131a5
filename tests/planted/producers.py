"""Bugs of producers and connections."""

from __future__ import annotations

from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    Fault(
        "an unknown batch keeps its producer's name",
        "streamq/client/outbox.py",
        "for of, each in self._producers.items() if each is not load.batch.producer",
        "for of, each in self._producers.items()",
        "tests/promises/test_producers.py::"
        "test_as_many_jobs_are_added_as_were_asked_for_and_the_ids_are_theirs",
    ),
    Fault(
        "two slices under way are remembered under one name",
        "streamq/client/outbox.py",
        "self._begin(self._take(), 1 - self._under_way[0].slot)",
        "self._begin(self._take(), 0)",
        "tests/engine/test_transfer.py::test_a_slice_leaves_while_another_is_under_way",
    ),
    Fault(
        "a repeat answers the ids of its neighbours too",
        "streamq/client/outbox.py",
        "return answer[start:end]",
        "return answer",
        "tests/engine/test_producers.py::test_callers_whose_batch_was_lost_get_their_own_jobs_by_repeating_it",
    ),
    Fault(
        "a slice of unknown outcome is put anew",
        "streamq/client/transfer.py",
        "self.send = error.ticket.send",
        "pass",
        "tests/promises/test_producers.py::"
        "test_as_many_jobs_are_added_as_were_asked_for_and_the_ids_are_theirs",
    ),
    Fault(
        "a repeat that is broken off forgets what it sent",
        "streamq/client/transfer.py",
        "await asyncio.shield(self.sending)",
        "await self.sending",
        "tests/promises/test_producers.py::"
        "test_as_many_jobs_are_added_as_were_asked_for_and_the_ids_are_theirs",
    ),
    Fault(
        "one order that cannot be written is everybody's",
        "streamq/client/orders.py",
        "return orders if len(orders) > 1 else []",
        "return []",
        "tests/engine/test_outbox.py::test_what_cannot_be_written_is_refused_to_its_caller_alone",
    ),
    Fault(
        "a flight that dies wakes nobody who waits for the next",
        "streamq/client/outbox.py",
        "            self._under_way.clear()\n            self._take_all()\n            raise",
        "            self._under_way.clear()\n            raise",
        "tests/engine/test_outbox.py::test_nobody_is_cancelled_with_a_flight",
    ),
    Fault(
        "a clean close leaves the producers' records",
        "streamq/client/outbox.py",
        "            await self._forget()",
        "            pass",
        "tests/engine/test_outbox.py::test_a_clean_close_leaves_nothing_of_its_producers",
    ),
    Fault(
        "a queue is announced once in a process's life",
        "streamq/store/announcements.py",
        "            self._until.clear()",
        "            pass",
        "tests/engine/test_outbox.py::test_queues_are_announced_again_after_a_reconnection",
    ),
    Fault(
        "a refused durability is a refused job",
        "streamq/store/producers.py",
        "            error = NotDurable(",
        "            error = Rejected(",
        "tests/engine/test_durability.py::"
        "test_fsync_is_confirmed_by_a_server_that_can_and_refused_by_one_that_cannot",
    ),
    Fault(
        "durability is not asked for after a script was sent in full",
        "streamq/store/producers.py",
        "            confirmed = more[len(again) :]",
        "            confirmed = []",
        "tests/engine/test_durability.py::"
        "test_fsync_is_confirmed_by_a_server_that_can_and_refused_by_one_that_cannot",
    ),
    Fault(
        "a repeated batch is added again",
        "streamq/redis/lua/enqueue.lua",
        "if last and last == args.batch then",
        "if last and last == '' then",
        "tests/engine/test_producers.py::test_the_same_batch_twice_returns_the_same_ids_and_adds_nothing",
    ),
    Fault(
        "an answer from the record is no write",
        "streamq/redis/lua/enqueue.lua",
        "    redis.call('PEXPIRE', keys.producer, args.remembered)",
        "    -- redis.call('PEXPIRE', keys.producer, args.remembered)",
        "tests/engine/test_durability.py -k 'valkey and new_connection'",
    ),
    Fault(
        "a batch is refused in its middle",
        "streamq/redis/lua/enqueue.lua",
        "-- expects: parked delayed",
        "",
        "tests/engine/test_outbox.py::test_a_batch_that_is_refused_is_refused_whole",
    ),
    Fault(
        "ids of two milliseconds are answered as of one",
        "streamq/redis/lua/enqueue.lua",
        "string.match(ids[from], '^%d+') == string.match(ids[to], '^%d+')",
        "ids[from]",
        "tests/engine/test_outbox.py::test_ids_are_those_of_the_entries_however_long_the_call_took",
    ),
    Fault(
        "headers do not count in a slice's bytes",
        "streamq/client/orders.py",
        "own = len(job[0]) + len(job[1]) + len(job[2])",
        "own = len(job[0]) + len(job[1])",
        "tests/engine/test_transfer.py::test_a_slice_is_bounded_by_jobs_and_by_all_its_bytes",
    ),
    Fault(
        "a replica is as good as a primary",
        "streamq/redis/server.py",
        'return _IS_REPLICA if self.several and greeting.is_replica else ""',
        'return ""',
        "tests/engine/test_failover.py::test_a_replica_in_the_list_is_passed_over",
    ),
    Fault(
        "a demoted server is left only by the connection that noticed",
        "streamq/redis/server.py",
        "            self.era += 1",
        "            pass",
        "tests/engine/test_failover.py::test_every_connection_leaves_a_server_that_became_a_replica",
    ),
    Fault(
        "an unblocked read is no demotion",
        "streamq/redis/answers.py",
        '("READONLY", "UNBLOCKED", "-READONLY")',
        '("READONLY", "-READONLY")',
        "tests/engine/test_failover.py::test_every_connection_leaves_a_server_that_became_a_replica",
    ),
    Fault(
        "callers of a shared connection do not wait for each other",
        "streamq/redis/link.py",
        "        async with self._turn:\n",
        "        if True:\n",
        "tests/engine/test_connections.py::test_callers_of_a_shared_connection_each_get_their_own_answer",
    ),
    Fault(
        "what the server said before it closed is not read",
        "streamq/redis/link.py",
        "left = wire.left()",
        "left = list[Any]()",
        "tests/engine/test_outbox.py::test_a_job_too_long_for_the_server_is_refused_alone_and_at_once",
    ),
    Fault(
        "a caller waits for ever for a free connection",
        "streamq/redis/pool.py",
        "async with asyncio.timeout(settings.command_timeout):",
        "async with asyncio.timeout(None):",
        "tests/engine/test_answers.py::test_a_caller_waits_for_a_free_connection_only_for_so_long",
    ),
    Fault(
        "what cannot be written costs the connection",
        "streamq/redis/link.py",
        "        written = packed(commands)\n",
        "        await self.connect()\n        await self.close()\n        written = packed(commands)\n",
        "tests/engine/test_answers.py::"
        "test_what_cannot_be_written_is_an_error_of_the_caller_and_keeps_the_connection",
    ),
    Fault(
        "a cancelled command leaves its connection to the next",
        "streamq/redis/link.py",
        "        except asyncio.CancelledError:\n            await self.close()\n            raise",
        "        except asyncio.CancelledError:\n            raise",
        "tests/engine/test_connections.py::test_a_cancelled_command_takes_its_connection_along",
    ),
    Fault(
        "a connection that the server closed is used",
        "streamq/redis/link.py",
        "wire is not None and wire.lost is None and",
        "wire is not None and",
        "tests/engine/test_connections.py::test_a_connection_the_server_closed_is_replaced_before_it_is_used",
    ),
    Fault(
        "a pool has no bound",
        "streamq/redis/pool.py",
        "self._room = asyncio.Semaphore(servers.settings.connections)",
        "self._room = asyncio.Semaphore(10**6)",
        "tests/engine/test_connections.py::test_ordinary_commands_share_a_bounded_number_of_connections",
    ),
    Fault(
        "a refused login is tried at the next address and again",
        "streamq/redis/ready.py",
        "        except Rejected:\n            raise\n        except (",
        "        except (",
        "tests/engine/test_connections.py::test_a_wrong_password_is_told_at_once_without_the_password",
    ),
    Fault(
        "the greeting of a server is not bounded in time",
        "streamq/redis/link.py",
        "async with asyncio.timeout(self.server.settings.connect_timeout):  # the greeting",
        "async with asyncio.timeout(None):  # the greeting",
        "tests/engine/test_connections.py::"
        "test_a_command_is_bounded_even_when_the_server_accepts_and_says_nothing",
    ),
    Fault(
        "a role ends when its server is lost while it begins",
        "streamq/redis/ready.py",
        "        except Unavailable as error:\n            now =",
        "        except BlockingIOError as error:\n            now =",
        "tests/engine/test_beginning.py::"
        "test_a_role_begins_once_the_server_is_back_that_was_lost_while_it_began",
    ),
    Fault(
        "waiting for a server lasts as long as a mute one likes",
        "streamq/redis/ready.py",
        "async with asyncio.timeout_at(deadline):",
        "async with asyncio.timeout_at(None):",
        "tests/engine/test_connections.py::"
        "test_waiting_is_bounded_even_when_the_server_accepts_and_says_nothing",
    ),
    Fault(
        "a connection in use at the close stays open",
        "streamq/redis/pool.py",
        "            if self._closed:\n                await self.close()\n",
        "",
        "tests/engine/test_answers.py::"
        "test_a_connection_in_use_at_the_close_is_dropped_when_it_is_given_back",
    ),
    Fault(
        "a refused command of a thread ends its connection",
        "streamq/redis/thread_link.py",
        "            return translate(error, sent=True)\n\n    def idle",
        "            raise\n\n    def idle",
        "tests/engine/test_answers.py::test_a_refused_command_of_a_thread_has_its_place_among_the_replies",
    ),
    Fault(
        "a batch that meets a fail-over is the caller's",
        "streamq/client/outbox.py",
        "return isinstance(answer, Demoted) and self._server.several",
        "return False",
        "tests/engine/test_failover.py::"
        "test_an_enqueue_that_meets_a_fail_over_is_added_once_by_the_new_primary",
    ),
    Fault(
        "the loss of one server is that of all",
        "streamq/redis/links.py",
        "if isinstance(answer, BaseException) and not isinstance(answer, StreamqError):",
        "if isinstance(answer, BaseException):",
        "tests/engine/test_two_servers.py::"
        "test_each_queue_is_on_its_own_server_and_goes_on_without_the_other",
    ),
)
