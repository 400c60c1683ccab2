"""Deliveries to webhooks: one attempt at a time, until it is accepted or given up."""

import logging
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from app import __version__
from app.domain.deliveries import Attempt, Delivery
from app.domain.events import NewNotification
from app.domain.webhooks import Webhook, switched_off
from app.usecases.ports import Clock, Database, NewId, Transaction, WebhookReply, WebhookSender

logger = logging.getLogger(__name__)

#: Requests to one endpoint at once, of one process: a slow one holds up nobody else.
PARALLEL = 4
#: ... and to all endpoints of one user: ten slow ones hold up nobody else either.
PARALLEL_OF_USER = 10
_LATER = timedelta(seconds=2)
#: After it is due, an attempt begins within seconds, unless its job was lost.
_LOST_AFTER = timedelta(minutes=2)


class Deliveries:
    """What the queue's `deliver` jobs do."""

    def __init__(
        self, *, db: Database, sender: WebhookSender, clock: Clock, new_id: NewId, rng: Random
    ) -> None:
        self._db = db
        self._sender = sender
        self._clock = clock
        self._new_id = new_id
        self._rng = rng
        self._under_way: Counter[UUID] = Counter()

    async def attempt(self, webhook_id: UUID, delivery_id: UUID) -> None:
        """
        Attempt a delivery if it is due, and store what came of it with the job of the next
        attempt.

        It may reach the endpoint twice, when this process dies between its answer and the commit:
        its id is how a receiver tells. Raises DatabaseUnavailable.
        """
        async with self._db.autocommit() as tx:
            found = await tx.webhooks.pending(webhook_id, delivery_id)
        if found is None:
            return
        webhook, delivery = found
        busy = self._under_way
        if busy[webhook_id] >= PARALLEL or busy[delivery.user_id] >= PARALLEL_OF_USER:
            await self._later(delivery)
            return
        if not webhook.enabled:
            await self._give_up(delivery)
            return
        counted = (webhook_id, delivery.user_id)
        busy.update(counted)
        try:
            await self._send(webhook, delivery)
        finally:
            busy.subtract(counted)
            for key in counted:
                if not busy[key]:
                    del busy[key]

    async def repair(self) -> None:
        """Make jobs for deliveries whose job was lost."""
        async with self._db.autocommit() as tx:
            lost = await tx.jobs.redeliver_lost(before=self._clock() - _LOST_AFTER)
        if lost:
            logger.error("repaired %d webhook deliveries that had no job", lost)

    async def _send(self, webhook: Webhook, delivery: Delivery) -> None:
        at = self._clock()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Renum-Webhooks/{__version__}",
            "webhook-id": str(delivery.id),
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": webhook.signature(delivery.id, at, delivery.body),
        }
        reply = await self._sender.send(webhook.url, delivery.body.encode(), headers)
        attempt = Attempt(
            at=at,
            duration_ms=reply.duration_ms,
            status_code=reply.status_code,
            error=reply.error,
            response=reply.response,
        )
        async with self._db.transaction() as tx:
            await tx.events.lock(delivery.user_id)
            found = await tx.webhooks.pending(delivery.webhook_id, delivery.id)
            # Deleted meanwhile, or somebody else attempted it, who took this process for dead.
            if found is None or found[1].tries != delivery.tries:
                return
            await self._record(tx, *found, attempt, reply, sent_to=webhook.url)

    async def _record(
        self,
        tx: Transaction,
        webhook: Webhook,
        delivery: Delivery,
        attempt: Attempt,
        reply: WebhookReply,
        *,
        sent_to: str,
    ) -> None:
        now = self._clock()
        # What an address answers that it has no more says nothing of the one it has.
        heard = webhook.heard(attempt) if webhook.url == sent_to else webhook
        if heard != webhook:
            await tx.webhooks.save(heard)
        if webhook.enabled and not heard.enabled:
            await self._tell_owner(tx, heard, now)
        after = delivery.after(
            attempt, now=now, asked_to_wait_s=reply.retry_after_s, jitter=self._rng.random()
        )
        await tx.webhooks.save_delivery(after)
        if after.next_attempt_at is not None:
            await tx.jobs.deliver(after)

    async def _tell_owner(self, tx: Transaction, webhook: Webhook, now: datetime) -> None:
        told = switched_off(webhook, id=self._new_id(), now=now)
        await tx.notifications.add(told)
        await tx.events.append(webhook.user_id, [NewNotification.of(told)])

    async def _later(self, delivery: Delivery) -> None:
        async with self._db.autocommit() as tx:
            await tx.jobs.deliver(replace(delivery, next_attempt_at=self._clock() + _LATER))

    async def _give_up(self, delivery: Delivery) -> None:
        async with self._db.transaction() as tx:
            await tx.events.lock(delivery.user_id)
            found = await tx.webhooks.pending(delivery.webhook_id, delivery.id)
            if found is not None and not found[0].enabled:
                await tx.webhooks.save_delivery(found[1].given_up(self._clock()))
