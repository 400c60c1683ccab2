"""Deliveries on real rows and a clock that is moved by hand; endpoints are in memory."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import psycopg
import pytest

from app.common.paging import Page
from app.domain.deliveries import Delivery, DeliveryStatus
from app.domain.notifications import NotificationType
from app.domain.webhooks import DisabledReason, Webhook, WebhookEvent
from app.infra.db.database import PostgresDatabase
from app.infra.db.jobs import WEBHOOKS
from app.usecases import webhooks
from app.usecases.deliveries import PARALLEL, PARALLEL_OF_USER, Deliveries
from app.usecases.ports import WebhookReply
from app.usecases.retention import DELIVERIES_KEPT, prune_deliveries
from tests.builders import a_team
from tests.world import World

OK = WebhookReply(5, 200, None, "fine")
FAILED = WebhookReply(5, 500, "answered 500", "oh")
GONE = WebhookReply(5, 410, "answered 410")


@dataclass
class Endpoint:
    """The `WebhookSender` port."""

    reply: WebhookReply = OK
    sent: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    gate: asyncio.Event | None = None

    def refusal(self, url: str) -> str | None:
        return None if url.startswith("https://") else "must begin with https://"

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> WebhookReply:
        self.sent.append((url, body, headers))
        reply = self.reply
        if self.gate is not None:
            await self.gate.wait()
        return reply


class Owner:
    """Somebody with webhooks, and the worker that delivers to them."""

    def __init__(self, world: World, url: str) -> None:
        self.world, self.db, self._url = world, world.db, url
        self.id = uuid4()
        self.endpoint = Endpoint()
        self.now = datetime.now(UTC)
        self.deliveries = self.worker()

    def worker(self) -> Deliveries:
        return Deliveries(
            db=self.db, sender=self.endpoint, clock=self.clock, new_id=uuid4, rng=Random(1)
        )

    def clock(self) -> datetime:
        return self.now

    async def webhook(self, *events: WebhookEvent) -> Webhook:
        return await webhooks.create_webhook(
            self.db,
            self.endpoint,
            uuid4,
            self.clock,
            user_id=self.id,
            url="https://example.com/hook",
            description="",
            events=frozenset(events or WebhookEvent),
        )

    async def trial(self, webhook: Webhook) -> Delivery:
        return await webhooks.try_webhook(self.db, uuid4, self.clock, webhook.id, user_id=self.id)

    async def look(self, delivery: Delivery) -> Delivery:
        return await webhooks.get_delivery(
            self.db, delivery.webhook_id, delivery.id, user_id=self.id
        )

    async def attempt(self, delivery: Delivery) -> Delivery:
        await self.deliveries.attempt(delivery.webhook_id, delivery.id)
        return await self.look(delivery)

    async def state(self, webhook: Webhook) -> Webhook:
        return await webhooks.get_webhook(self.db, webhook.id, user_id=self.id)

    async def switch(self, webhook: Webhook, *, on: bool) -> None:
        await webhooks.update_webhook(
            self.db,
            self.endpoint,
            self.clock,
            webhook.id,
            user_id=self.id,
            url=None,
            description=None,
            events=None,
            enabled=on,
        )

    async def all(self, webhook: Webhook) -> tuple[Delivery, ...]:
        found = await webhooks.list_deliveries(
            self.db, Page(1, 100), webhook.id, user_id=self.id, status=None
        )
        return found.items

    async def jobs(self, webhook: Webhook) -> list[tuple[UUID, datetime | None]]:
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            cursor = await connection.execute(
                """
                SELECT args ->> 'delivery_id', scheduled_at FROM renum.procrastinate_jobs
                 WHERE queue_name = %s AND args ->> 'webhook_id' = %s AND status = 'todo'
                 ORDER BY id
                """,
                (WEBHOOKS, str(webhook.id)),
            )
            return [(UUID(i), at) for i, at in await cursor.fetchall()]

    async def lose_jobs(self, webhook: Webhook) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            await connection.execute(
                "DELETE FROM renum.procrastinate_jobs WHERE args ->> 'webhook_id' = %s",
                (str(webhook.id),),
            )


@pytest.fixture
def owner(world: World, shared_database_url: str) -> Owner:
    return Owner(world, shared_database_url)


async def test_what_the_address_before_answers_says_nothing_of_the_new_one(owner: Owner) -> None:
    webhook = await owner.webhook()
    delivery = await owner.trial(webhook)
    owner.endpoint.reply, owner.endpoint.gate = GONE, asyncio.Event()
    attempt = asyncio.create_task(owner.attempt(delivery))
    while not owner.endpoint.sent:
        await asyncio.sleep(0)
    await webhooks.update_webhook(
        owner.db,
        owner.endpoint,
        owner.clock,
        webhook.id,
        user_id=owner.id,
        url="https://example.com/elsewhere",
        description=None,
        events=None,
        enabled=None,
    )
    owner.endpoint.gate.set()
    assert (await attempt).status is DeliveryStatus.FAILED
    after = await owner.state(webhook)
    assert (after.enabled, after.failing_since) == (True, None)


async def test_an_end_is_told_to_those_who_want_it_in_one_transaction(owner: Owner) -> None:
    wanting = await owner.webhook()
    failures_only = await owner.webhook(WebhookEvent.EXECUTION_FAILED)
    off = await owner.webhook()
    await owner.switch(off, on=False)
    strangers = await Owner(owner.world, owner._url).webhook()
    report = await owner.world.run(replace(a_team(), user_id=owner.id))
    (delivery,) = await owner.all(wanting)
    assert await owner.all(failures_only) == await owner.all(off) == ()
    assert await owner.jobs(strangers) == []
    assert await owner.jobs(wanting) == [(delivery.id, None)]
    async with owner.db.autocommit() as tx:
        told, _ = await tx.notifications.page(Page(1, 10), user_id=owner.id, unread_only=False)
    assert [n.id for n in told.items] == [delivery.id]
    body = json.loads(delivery.body)
    assert body["type"] == delivery.type == "execution.completed"
    assert body["data"]["execution_id"] == str(report.id)
    assert body["data"]["status"] == "completed"
    assert body["data"]["progress"]["percentage"] == 100
    assert body["data"]["message"] == told.items[0].message


async def test_an_accepted_delivery_is_done(owner: Owner) -> None:
    webhook = await owner.webhook()
    delivery = await owner.attempt(await owner.trial(webhook))
    assert delivery.status is DeliveryStatus.DELIVERED
    assert (delivery.completed_at, delivery.next_attempt_at) == (owner.now, None)
    (attempt,) = delivery.attempts
    assert (attempt.status_code, attempt.error, attempt.response) == (200, None, "fine")
    ((url, body, headers),) = owner.endpoint.sent
    assert (url, body.decode()) == (webhook.url, delivery.body)
    assert headers["webhook-id"] == str(delivery.id)
    assert headers["webhook-timestamp"] == str(int(owner.now.timestamp()))
    assert headers["webhook-signature"] == webhook.signature(delivery.id, owner.now, delivery.body)
    await owner.attempt(delivery)
    assert len(owner.endpoint.sent) == 1


async def test_it_is_tried_for_days_and_then_given_up(owner: Owner) -> None:
    webhook, began = await owner.webhook(), owner.now
    owner.endpoint.reply = FAILED
    delivery = await owner.trial(webhook)
    for tries in range(1, 10):
        delivery = await owner.attempt(delivery)
        assert (delivery.status, delivery.tries) == (DeliveryStatus.PENDING, tries)
        assert await owner.jobs(webhook) == [(delivery.id, delivery.next_attempt_at)]
        assert delivery.next_attempt_at is not None
        owner.now = delivery.next_attempt_at
    assert (await owner.state(webhook)).failing_since == began
    await owner.lose_jobs(webhook)  # as the queue's worker does when it takes a job
    delivery = await owner.attempt(delivery)
    assert (delivery.status, delivery.tries) == (DeliveryStatus.FAILED, 10)
    assert await owner.jobs(webhook) == []
    signatures = {headers["webhook-signature"] for _, _, headers in owner.endpoint.sent}
    assert len(signatures) == len(owner.endpoint.sent) == 10
    assert {body for _, body, _ in owner.endpoint.sent} == {delivery.body.encode()}
    assert (await owner.state(webhook)).enabled
    owner.endpoint.reply = OK
    again = await webhooks.redeliver(
        owner.db, owner.clock, webhook.id, delivery.id, user_id=owner.id
    )
    assert await owner.jobs(webhook) == [(delivery.id, owner.now)]
    assert (await owner.attempt(again)).status is DeliveryStatus.DELIVERED
    assert (await owner.state(webhook)).failing_since is None


@pytest.mark.parametrize(
    ("reply", "days", "reason"),
    [(GONE, 0, DisabledReason.GONE), (FAILED, 5, DisabledReason.FAILING)],
)
async def test_who_is_gone_or_fails_for_days_is_switched_off_and_its_owner_told(
    owner: Owner, reply: WebhookReply, days: int, reason: DisabledReason
) -> None:
    webhook = await owner.webhook()
    owner.endpoint.reply = reply
    waiting = await owner.trial(webhook)
    if days:
        await owner.attempt(await owner.trial(webhook))
        owner.now += timedelta(days=days)
    last = await owner.attempt(await owner.trial(webhook))
    assert last.status is (DeliveryStatus.PENDING if days else DeliveryStatus.FAILED)
    state = await owner.state(webhook)
    assert (state.enabled, state.disabled_reason) == (False, reason)
    async with owner.db.autocommit() as tx:
        told, _ = await tx.notifications.page(Page(1, 10), user_id=owner.id, unread_only=False)
        events = await tx.events.after(owner.id, 0, limit=10)
    assert [n.type for n in told.items] == [NotificationType.WEBHOOK_DISABLED]
    assert told.items[0].data == {"webhook_id": webhook.id}
    assert [e.type for e in events] == ["new_notification"]
    sent = len(owner.endpoint.sent)
    given_up = await owner.attempt(waiting)
    assert (given_up.status, given_up.attempts) == (DeliveryStatus.FAILED, ())
    assert len(owner.endpoint.sent) == sent
    await owner.switch(webhook, on=True)
    owner.endpoint.reply = OK
    assert (await owner.attempt(await owner.trial(webhook))).status is DeliveryStatus.DELIVERED


async def test_a_lost_job_is_made_again(owner: Owner) -> None:
    webhook = await owner.webhook()
    lost = await owner.trial(webhook)
    await owner.lose_jobs(webhook)
    owner.now += timedelta(minutes=1)
    await owner.deliveries.repair()
    assert await owner.jobs(webhook) == []
    owner.now += timedelta(minutes=2)
    kept = await owner.trial(webhook)
    await owner.deliveries.repair()
    await owner.deliveries.repair()
    assert sorted(i for i, _ in await owner.jobs(webhook)) == sorted([lost.id, kept.id])


async def test_so_many_requests_to_one_endpoint_at_once(owner: Owner) -> None:
    slow, other = await owner.webhook(), await owner.webhook()
    owner.endpoint.gate = asyncio.Event()
    waiting = [await owner.trial(slow) for _ in range(PARALLEL)]
    async with asyncio.TaskGroup() as group:
        for delivery in waiting:
            group.create_task(owner.deliveries.attempt(slow.id, delivery.id))
        while len(owner.endpoint.sent) < PARALLEL:
            await asyncio.sleep(0)
        one_more = await owner.trial(slow)
        await owner.lose_jobs(slow)
        await owner.attempt(one_more)
        assert await owner.jobs(slow) == [(one_more.id, owner.now + timedelta(seconds=2))]
        group.create_task(owner.attempt(await owner.trial(other)))
        while len(owner.endpoint.sent) < PARALLEL + 1:
            await asyncio.sleep(0)
        owner.endpoint.gate.set()
    assert {d.status for d in await owner.all(other)} == {DeliveryStatus.DELIVERED}
    assert (await owner.attempt(one_more)).status is DeliveryStatus.DELIVERED


async def test_so_many_requests_to_all_endpoints_of_a_user_at_once(owner: Owner) -> None:
    owner.endpoint.gate = asyncio.Event()
    hooks = [await owner.webhook() for _ in range(3)]
    told = [await owner.trial(hooks[n % 3]) for n in range(PARALLEL_OF_USER + 1)]
    *waiting, one_more = told
    async with asyncio.TaskGroup() as group:
        for delivery in waiting:
            group.create_task(owner.attempt(delivery))
        while len(owner.endpoint.sent) < PARALLEL_OF_USER:
            await asyncio.sleep(0)
        assert (await owner.attempt(one_more)).attempts == ()
        owner.endpoint.gate.set()
    assert (await owner.attempt(one_more)).status is DeliveryStatus.DELIVERED


async def test_of_two_workers_that_attempt_the_same_one_is_recorded(owner: Owner) -> None:
    delivery = await owner.trial(await owner.webhook())
    owner.endpoint.reply = FAILED
    owner.endpoint.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for worker in (owner.worker(), owner.worker()):
            group.create_task(worker.attempt(delivery.webhook_id, delivery.id))
        while len(owner.endpoint.sent) < 2:
            await asyncio.sleep(0)
        owner.endpoint.gate.set()
    after = await owner.look(delivery)
    assert (after.tries, len(after.attempts)) == (1, 1)


async def test_deleted_while_it_is_told(owner: Owner) -> None:
    webhook = await owner.webhook()
    delivery = await owner.trial(webhook)
    owner.endpoint.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(owner.deliveries.attempt(webhook.id, delivery.id))
        while not owner.endpoint.sent:
            await asyncio.sleep(0)
        await webhooks.delete_webhook(owner.db, webhook.id, user_id=owner.id)
        owner.endpoint.gate.set()
    await owner.deliveries.attempt(webhook.id, delivery.id)
    assert len(owner.endpoint.sent) == 1


async def test_deleted_while_an_execution_ends(owner: Owner) -> None:
    """Whichever is first, both succeed: they take turns by the user's lock."""
    for _ in range(5):
        webhook = await owner.webhook()
        execution = await owner.world.begin(replace(a_team(), user_id=owner.id))
        await asyncio.gather(
            owner.world.engine.drive(execution.id),
            webhooks.delete_webhook(owner.db, webhook.id, user_id=owner.id),
        )
        assert (await owner.world.report(execution)).status == "completed"


async def test_what_ended_a_month_ago_is_forgotten(owner: Owner) -> None:
    webhook = await owner.webhook()
    ended = await owner.attempt(await owner.trial(webhook))
    pending = await owner.trial(webhook)
    owner.now += timedelta(days=29)
    await prune_deliveries(owner.db, before=owner.now - DELIVERIES_KEPT)
    assert {d.id for d in await owner.all(webhook)} == {ended.id, pending.id}
    owner.now += timedelta(days=2)
    await prune_deliveries(owner.db, before=owner.now - DELIVERIES_KEPT)
    assert {d.id for d in await owner.all(webhook)} == {pending.id}


async def test_it_waits_apart_from_executions(owner: Owner, db: PostgresDatabase) -> None:
    before = await db.queue_depth()
    await owner.trial(await owner.webhook())
    assert await db.queue_depth() == before
