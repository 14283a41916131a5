"""Faults of messages: sent twice or not at all, told wrongly, to those who want none, or by whom nobody let in."""

from __future__ import annotations

from typing import Final

from .fault import Fault

M: Final = "service/messaging/"
ONCE: Final = "tests/service/test_deliveries.py::"
REPORTS: Final = "tests/service/test_delivery_reports.py::"
TURNS: Final = "tests/service/test_providers_in_turn.py::"
RESPECT: Final = "tests/service/test_opt_outs.py::"
STATS: Final = "tests/service/test_message_stats.py::"
KEYS: Final = "tests/service/test_made_keys.py::"

FAULTS = (
    Fault(
        "messages: what was sent before a worker was lost is sent again", M + "outgoing.py",
        "            case DeliveryState.SENT | DeliveryState.DELIVERED:\n",
        "            case DeliveryState.DELIVERED:\n",
        ONCE + "test_a_message_that_was_sent_before_its_worker_was_lost_is_not_sent_again",
    ),
    Fault(
        "messages: a held one is sent by a retry", M + "outgoing.py",
        "            case DeliveryState.UNKNOWN:\n                self._tell_unknown()\n", "",
        ONCE + "test_a_retry_by_hand_does_not_send_what_nobody_knows",
    ),
    Fault(
        "messages: a lost answer goes to the next provider", M + "outgoing.py",
        "            except AnswerLost as error:\n                await self._lost(provider, message, asking, error)\n"
        "                raise\n", "",
        TURNS + "test_a_message_whose_answer_was_lost_goes_to_the_same_provider_again",
    ),
    Fault(
        "messages: an answer that is lost at the end is a plain failure", M + "outgoing.py",
        "        self._missed(provider, error)\n        if message.last:\n",
        "        self._missed(provider, error)\n        if False:\n",
        ONCE + "test_an_answer_that_is_lost_at_the_last_attempt_leaves_the_message_unknown",
    ),
    Fault(
        "messages: a passing trouble leaves them as given out", M + "outgoing.py",
        "        if not asking.is_doubtful:\n", "        if False:\n",
        ONCE + "test_a_refusal_and_a_passing_trouble_are_known_as_not_sent",
    ),
    Fault(
        "providers: one that is down is asked for ever", M + "hold.py",
        "        if self._missed >= MISSED or self._holds:\n", "        if False:\n",
        TURNS + "test_a_provider_that_is_down_is_left_in_peace_and_a_refused_message_is_no_fault_of_it",
    ),
    Fault(
        "messages: what may have been taken goes to another provider", M + "outgoing.py",
        "            order = [await self._asked_before(message, found)]\n", "",
        TURNS + "test_a_message_that_one_provider_may_have_goes_to_no_other_one_though_the_first_is_down",
    ),
    Fault(
        "messages: a job that ended without its handler leaves nothing", M + "strays.py",
        "known.state is DeliveryState.SENDING", "known.state is DeliveryState.UNKNOWN",
        ONCE + "test_a_job_that_ended_without_its_handler_leaves_its_message_unknown",
    ),
    Fault(
        "fetch: nobody hears a gate while another has a backlog", "streamq/worker/reads.py",
        "            elif waiting:  #", "            elif False:  #",
        "tests/engine/test_turns_of_groups.py::test_a_queue_of_groups_with_a_backlog_leaves_others_their_turns",
    ),
    Fault(
        "reports: a late one counts", M + "delivery.py",
        "    if told.state.rank > known.state.rank:\n", "    if told.state is not known.state:\n",
        REPORTS + "test_reports_in_any_order_and_number_leave_the_best_that_is_known",
    ),
    Fault(
        "reports: one that comes before the answer is lost", M + "delivery.py",
        "        return _early_in(entry)\n", "        return None\n",
        REPORTS + "test_a_report_before_the_answer_of_the_provider_waits_for_it",
    ),
    Fault(
        "reports: anybody's is taken", "service/api/webhooks.py",
        "    if not form.is_genuine(incoming):\n", "    if False:\n",
        REPORTS + "test_what_is_not_signed_by_the_provider_is_refused",
    ),
    Fault(
        "reports: one of any age is taken", M + "signature.py",
        "abs(now().timestamp() - int(moment[:12])) > TOLERANCE", "False",
        REPORTS + "test_an_old_copy_of_a_report_is_refused",
    ),
    Fault(
        "opt-outs: they hold for all workspaces", M + "opt_outs.py",
        "entry.value.keys().isdisjoint((ALL, str(workspace)))", "not entry.value",
        RESPECT + "test_an_opt_out_may_be_of_one_workspace_or_of_a_contact_on_all_channels",
    ),
    Fault(
        "opt-outs: a look at the link of an e-mail is one", "service/api/opt_outs.py",
        "    recipient, _ = _meant(site, asked)\n    return _page(asked, \"End",
        "    recipient, workspace = _meant(site, asked)\n"
        "    await OptOuts(site.engine).add(address(EMAIL, recipient), workspace)\n    return _page(asked, \"End",
        RESPECT + "test_the_link_of_an_email_ends_the_emails_of_its_workspace",
    ),
    Fault(
        "opt-outs: anybody makes a link", M + "unsubscribe.py",
        "if not hmac.compare_digest(", "if not len(said) and not hmac.compare_digest(",
        RESPECT + "test_the_link_of_an_email_ends_the_emails_of_its_workspace",
    ),
    Fault(
        "cap: each attempt counts", M + "allowed.py",
        "        await self._counts.add(key, lifetime=_DAY)\n", "",
        RESPECT + "test_a_recipient_gets_so_many_a_day_and_each_message_counts_once",
    ),
    Fault(
        "quiet hours: the change of clocks is not known", M + "quiet_hours.py",
        "datetime.combine(day, self.end, here.tzinfo).timestamp() - here.timestamp())",
        "(datetime.combine(day, self.end, here.tzinfo) - here).total_seconds())",
        "tests/service/test_quiet_hours.py::"
        "test_on_the_night_of_a_change_of_clocks_quiet_hours_end_at_their_time",
    ),
    Fault(
        "figures: ids lose their type", M + "figures.py",
        "    text = encoded(workspace[:_ID] if isinstance(workspace, str) else workspace).decode()\n",
        "    text = encoded(str(workspace)[:_ID]).decode()\n",
        STATS + "test_messages_are_counted_by_channel_and_workspace_whose_ids_keep_their_type",
    ),
    Fault(
        "keys: the last revocation opens the API", "service/http/made_keys.py",
        "        self._ever = bool(made) or await self._made.ever()\n", "        self._ever = bool(made)\n",
        KEYS + "test_the_first_key_closes_the_api_and_the_last_revocation_does_not_open_it",
    ),
    Fault(
        "keys: one for some queues reaches all", "service/http/auth.py",
        "        if holder.queues and", "        if False and",
        KEYS + "test_a_key_for_some_queues_reaches_these_alone",
    ),
    Fault(
        "tallies: a call that comes again counts twice", "streamq/tallies.py",
        "                number, subjects = self._sent\n",
        "                number, subjects = self._sent[0] + 1, self._sent[1]\n",
        "tests/engine/test_tallies.py::test_a_call_whose_answer_was_lost_is_added_once",
    ),
)  # fmt: skip
