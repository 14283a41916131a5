"""The way of a message out of a worker: noted before a provider is asked and after it, so that it goes out once.

what is known of it       what follows
-----------------------   ------------------------------------------------------------------------------------------
nothing                   it is given to the first provider that is not held; to the next where that surely took nothing
sent, delivered           done: the worker was lost before the outcome of its job was written
failed                    it is given out again: somebody retries its job
sending                   a worker, or an answer, was lost: the policy of the channel decides, see ``Policy``. Only the
                          provider that was asked may be asked again, and what it may have taken stays noted so
unknown                   failed again, until somebody settles it
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Generic, Literal, NamedTuple, NoReturn, Protocol, TypeVar

from streamq import Fail, Retry, Snooze, StreamqError

from ..clock import now
from .delivery import Deliveries, Delivery, DeliveryState
from .figures import Figures
from .hold import Hold
from .provider import AnswerLost, ProviderError, Receipt
from .provider_rate import ProviderRates

log = logging.getLogger("streamq.messaging")

Policy = Literal["resend", "ask", "hold"]
"""What is done with a message of which nobody knows whether it was taken: it is given out again under the same key; or
the provider is asked; or it is held as unknown, for a person or a report to settle."""


class Unknown(Fail):
    """Nobody knows whether a message was taken."""


class Provider(Protocol):
    """What takes messages."""

    name: str
    hold: Hold

    async def ask(self, key: str, /) -> Receipt | None:
        """Whether it has taken a message under a key. Raises ``ProviderError`` where it does not say."""
        ...


P = TypeVar("P", bound=Provider)


class Message(NamedTuple):
    """What is known of a message here. ``last`` says that no attempt is left after this one."""

    key: str
    workspace: str | int | float
    last: bool


class Asking(NamedTuple):
    """A provider is asked, and the version of the record that says so."""

    delivery: Delivery
    version: int
    is_doubtful: bool = False
    """Whether it may have been taken in an earlier attempt."""


UNREAD = 1
"""No version that a record has: what is known is read then."""


class Outgoing(Generic[P]):
    """One per channel and worker process; ``providers`` are tried in their order, within ``rates``."""

    def __init__(
        self, channel: str, providers: Sequence[P], policy: Policy, deliveries: Deliveries, figures: Figures,
        rates: ProviderRates | None = None,
    ) -> None:  # fmt: skip
        self._channel, self._providers, self._policy = channel, providers, policy
        self._deliveries, self._figures, self._rates = deliveries, figures, rates

    async def send(self, message: Message, give: Callable[[P], Awaitable[Receipt]]) -> Receipt:
        """Give a message out, by ``give``, or find that it was. Raises what providers do, and ``Unknown``."""
        order = self._in_turn()
        asking = Delivery(
            DeliveryState.SENDING, self._channel, order[0].name, message.workspace, now().timestamp()
        )
        found = await self._deliveries.begin(message.key, asking)
        if not isinstance(found, Delivery):
            return await self._through(order, message, Asking(asking, found), give)
        if receipt := await self._by_what_is_known(message, found):
            return receipt
        is_doubtful = found.state is DeliveryState.SENDING and self._policy == "resend"
        if is_doubtful:
            self._figures.count(self._channel, message.workspace, "resent")
            order = [await self._asked_before(message, found)]
        asking = replace(asking, provider=order[0].name)
        version = await self._deliveries.put(message.key, asking)
        return await self._through(order, message, Asking(asking, version, is_doubtful), give)

    def _in_turn(self) -> list[P]:
        """Those that are not held in front."""
        return sorted(self._providers, key=lambda each: each.hold.reason is not None)

    async def _asked_before(self, message: Message, known: Delivery) -> P:
        """The provider that may have it. Raises ``Unknown`` where the settings name it no more."""
        found = next((each for each in self._providers if each.name == known.provider), None)
        if found is None:
            await self._keep_unknown(message, known)
            self._tell_unknown()
        return found

    async def _by_what_is_known(self, message: Message, known: Delivery) -> Receipt | None:
        """The receipt of a message that was sent; None where it is to be given out again."""
        match known.state:
            case DeliveryState.SENT | DeliveryState.DELIVERED:
                return Receipt(200, known.provider_id, known.provider)
            case DeliveryState.UNKNOWN:
                self._tell_unknown()
            case DeliveryState.SENDING if self._policy == "hold":
                await self._keep_unknown(message, known)
                self._tell_unknown()
            case DeliveryState.SENDING if self._policy == "ask":
                return await self._answer_of(message, known)
        return None

    async def _answer_of(self, message: Message, known: Delivery) -> Receipt | None:
        provider = await self._asked_before(message, known)
        try:
            receipt = await provider.ask(message.key)
        except ProviderError as error:
            if message.last:
                await self._end_unknown(message, known, error)
            raise
        if receipt is None:
            await self._deliveries.forget(message.key)
        else:
            await self._sent(message, Asking(known, UNREAD), receipt)
        return receipt

    async def _through(
        self, order: list[P], message: Message, asking: Asking, give: Callable[[P], Awaitable[Receipt]]
    ) -> Receipt:
        not_taken: list[Exception] = []
        for provider in order:
            if not_taken:
                next_one = replace(asking.delivery, provider=provider.name, at=now().timestamp())
                asking = Asking(next_one, await self._deliveries.put(message.key, next_one))
            started = monotonic()
            try:
                if self._rates is not None:
                    await self._rates.check(provider.name)
                receipt = await give(provider)
            except AnswerLost as error:
                await self._lost(provider, message, asking, error)
                raise
            except Fail as error:
                await self._refused(message, asking, str(error))
                raise
            except (ProviderError, Retry, Snooze) as error:
                self._missed(provider, error)
                not_taken.append(error)
            else:
                self._figures.of_provider(self._channel, provider.name, "sent", monotonic() - started)
                await self._sent(message, asking, receipt)
                return receipt
        reason = _first_of(not_taken)
        if not asking.is_doubtful:
            await self._deliveries.forget(message.key)
        elif message.last and not isinstance(reason, Snooze):
            await self._end_unknown(message, asking.delivery, reason)
        raise reason

    async def _sent(self, message: Message, asking: Asking, receipt: Receipt) -> None:
        outcome = replace(asking.delivery, state=DeliveryState.SENT, provider_id=receipt.provider_id)
        try:
            await self._deliveries.ended(message.key, outcome, asking.version)
        except (
            StreamqError
        ) as error:  # the outcome of the job will say it: failing that would repeat the message
            log.warning("message %s was sent, and its delivery could not be noted: %s", message.key, error)

    async def _refused(self, message: Message, asking: Asking, said: str) -> None:
        self._figures.of_provider(self._channel, asking.delivery.provider, "failed")
        outcome = replace(asking.delivery, state=DeliveryState.FAILED, reason=said[:300])
        await self._deliveries.ended(message.key, outcome, asking.version)

    async def _lost(self, provider: P, message: Message, asking: Asking, error: AnswerLost) -> None:
        self._missed(provider, error)
        if message.last:
            await self._end_unknown(message, asking.delivery, error)

    def _missed(self, provider: P, error: Exception) -> None:
        self._figures.of_provider(self._channel, provider.name, "retried")
        if len(self._providers) > 1 and not isinstance(error, Snooze):
            provider.hold.missed(str(error))

    async def _end_unknown(self, message: Message, known: Delivery, error: Exception) -> NoReturn:
        await self._keep_unknown(message, known)
        raise Unknown(f"{error}; whether the message was taken is to be settled") from None

    async def _keep_unknown(self, message: Message, known: Delivery) -> None:
        self._figures.of_provider(self._channel, known.provider, "unknown")
        await self._deliveries.hold(message.key, known)

    @staticmethod
    def _tell_unknown() -> NoReturn:
        raise Unknown(
            "nobody knows whether the provider took this message before its worker, or the answer, was lost: "
            "settle it, as sent, as failed, or to be sent again"
        )


def _first_of(errors: Sequence[Exception]) -> Exception:
    """What decides when a message comes again: the first refusal that spends an attempt, else the shortest wait."""
    waits = [error for error in errors if isinstance(error, Snooze)]
    if len(waits) < len(errors):
        return next(error for error in errors if not isinstance(error, Snooze))
    return min(waits, key=lambda each: each.seconds)
