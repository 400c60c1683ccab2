"""Webhooks by themselves: signatures, waits, and which addresses are everybody's."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Official
from standardwebhooks import WebhookVerificationError

from app.common.addresses import is_address, is_public
from app.domain.deliveries import Attempt, Delivery, DeliveryStatus, WebhookMessage
from app.domain.webhooks import (
    DisabledReason,
    Webhook,
    WebhookEvent,
    fresh_secret,
    secret_text,
    switched_off,
    trial,
)

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=30)


def a_webhook(**changes: object) -> Webhook:
    values: dict[str, object] = {
        "id": uuid4(),
        "user_id": uuid4(),
        "url": "https://example.com/hook",
        "description": "",
        "events": frozenset(WebhookEvent),
        "disabled_reason": None,
        "created_at": LONG_AGO,
        "updated_at": LONG_AGO,
        "failing_since": None,
        "secret": fresh_secret(),
        "previous_secret": None,
        "previous_until": None,
    }
    return Webhook(**(values | changes))  # type: ignore[arg-type]


def a_delivery() -> Delivery:
    message = trial(a_webhook(), id=uuid4(), now=NOW)
    return Delivery.of(message, webhook_id=uuid4(), user_id=uuid4(), now=NOW)


def an_attempt(
    *, at: datetime = NOW, status: int | None = 500, error: str | None = "no"
) -> Attempt:
    return Attempt(at=at, duration_ms=1, status_code=status, error=error, response=None)


ACCEPTED = an_attempt(status=200, error=None)


# --- signatures ------------------------------------------------------------------------------


def verified(secret: bytes, webhook: Webhook, body: str) -> object:
    # The library takes nothing that is older than five minutes.
    message_id, at = uuid4(), datetime.now(UTC)
    headers = {
        "webhook-id": str(message_id),
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": webhook.signature(message_id, at, body),
    }
    return Official(secret_text(secret)).verify(body.encode(), headers)


@given(st.dictionaries(st.text(), st.text()))
def test_the_official_library_accepts_what_is_signed(data: dict[str, object]) -> None:
    webhook = a_webhook()
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return  # text like this is refused at the door
    body = WebhookMessage(id=uuid4(), type="t", timestamp=NOW, data=data).body
    told = verified(webhook.secret, webhook, body)
    assert told == {"type": "t", "timestamp": NOW.isoformat().replace("+00:00", "Z"), "data": data}


def test_for_a_day_both_secrets_hold() -> None:
    old = a_webhook()
    rotated = old.rotated(datetime.now(UTC))
    assert rotated.secret != old.secret
    for secret in (old.secret, rotated.secret):
        assert verified(secret, rotated, "{}") == {}
    a_day_ago = replace(rotated, previous_until=datetime.now(UTC))
    assert verified(rotated.secret, a_day_ago, "{}") == {}
    with pytest.raises(WebhookVerificationError):
        verified(old.secret, a_day_ago, "{}")


def test_a_secret_is_32_random_bytes() -> None:
    text = secret_text(fresh_secret())
    assert text.startswith("whsec_")
    assert len(Official(text)._whsecret) == 32


# --- waits -----------------------------------------------------------------------------------


def test_ten_attempts_in_three_and_a_half_days_then_it_is_given_up() -> None:
    delivery, now = a_delivery(), NOW
    for _ in range(9):
        delivery = delivery.after(an_attempt(at=now), now=now, asked_to_wait_s=None, jitter=1)
        assert delivery.status is DeliveryStatus.PENDING
        assert delivery.next_attempt_at is not None
        assert delivery.next_attempt_at > now
        now = delivery.next_attempt_at
    assert timedelta(days=3) < now - NOW < timedelta(days=4)
    delivery = delivery.after(an_attempt(at=now), now=now, asked_to_wait_s=5, jitter=0)
    assert (delivery.status, delivery.next_attempt_at) == (DeliveryStatus.FAILED, None)
    assert (delivery.tries, len(delivery.attempts)) == (10, 10)
    again = delivery.again(now)
    assert (again.status, again.tries, again.completed_at) == (DeliveryStatus.PENDING, 0, None)
    assert again.attempts == delivery.attempts


@given(st.lists(st.booleans(), max_size=60), st.floats(0, 1))
def test_the_log_of_attempts_is_the_latest_20(failures: list[bool], jitter: float) -> None:
    delivery = a_delivery()
    made = []
    for number, failed in enumerate(failures):
        if delivery.status is not DeliveryStatus.PENDING:
            delivery = delivery.again(NOW)
        at = NOW + timedelta(seconds=number)
        attempt = an_attempt(at=at) if failed else replace(ACCEPTED, at=at)
        made.append(attempt)
        delivery = delivery.after(attempt, now=at, asked_to_wait_s=None, jitter=jitter)
        assert (delivery.status is DeliveryStatus.DELIVERED) == (not failed)
        assert (delivery.next_attempt_at is None) == (delivery.completed_at is not None)
    assert list(delivery.attempts) == made[-20:]


@pytest.mark.parametrize(
    ("asked", "wait"), [(None, 5), (1, 5), (60, 60), (3600, 3600), (999_999, 86_400)]
)
def test_an_endpoint_may_ask_for_a_longer_wait(asked: int | None, wait: int) -> None:
    after = a_delivery().after(an_attempt(), now=NOW, asked_to_wait_s=asked, jitter=0)
    assert after.next_attempt_at == NOW + timedelta(seconds=wait)


def test_gone_ends_a_delivery_at_once() -> None:
    gone = an_attempt(status=410)
    after = a_delivery().after(gone, now=NOW, asked_to_wait_s=None, jitter=0)
    assert after.status is DeliveryStatus.FAILED


# --- endpoints -------------------------------------------------------------------------------


def test_failures_for_five_days_switch_it_off_and_one_success_forgives_them() -> None:
    webhook = a_webhook().heard(an_attempt())
    assert (webhook.failing_since, webhook.enabled) == (NOW, True)
    almost = NOW + timedelta(days=5) - timedelta(seconds=1)
    webhook = webhook.heard(an_attempt(at=almost))
    assert (webhook.failing_since, webhook.enabled) == (NOW, True)
    assert webhook.heard(ACCEPTED).failing_since is None
    off = webhook.heard(an_attempt(at=NOW + timedelta(days=5)))
    assert off.disabled_reason is DisabledReason.FAILING
    assert off.heard(ACCEPTED) == off
    told = switched_off(off, id=uuid4(), now=NOW)
    assert "accepted nothing for 5 days" in told.message
    assert told.data == {"webhook_id": off.id}


def test_gone_switches_it_off_at_once() -> None:
    off = a_webhook().heard(an_attempt(status=410))
    assert off.disabled_reason is DisabledReason.GONE
    assert "410 Gone" in switched_off(off, id=uuid4(), now=NOW).message


def changed(webhook: Webhook, **given: object) -> Webhook:
    nothing = {"url": None, "description": None, "events": None, "enabled": None}
    return webhook.changed(**(nothing | given), now=NOW)  # type: ignore[arg-type]


def test_what_its_owner_changes() -> None:
    failing = a_webhook(failing_since=LONG_AGO)
    assert changed(failing, description="x").failing_since == LONG_AGO
    assert changed(failing, url=failing.url).failing_since == LONG_AGO
    assert changed(failing, url="https://example.com/other").failing_since is None
    off = a_webhook(failing_since=LONG_AGO, disabled_reason=DisabledReason.FAILING)
    on = changed(off, enabled=True)
    assert (on.enabled, on.failing_since) == (True, None)
    assert changed(off, enabled=False).disabled_reason is DisabledReason.FAILING
    assert changed(on, enabled=False).disabled_reason is DisabledReason.OWNER


# --- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111"])
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:1.1.1.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "100::1",
        "200::1",
        "3fff::1",
        "4000::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_addresses_inside(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_what_carries_an_ipv4_address_is_never_public(ip: IPv4Address) -> None:
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "2002::"):
        shift = 80 if prefix == "2002::" else 0
        assert not is_public(str(IPv6Address(int(IPv6Address(prefix)) + (int(ip) << shift))))


@pytest.mark.parametrize(("host", "address"), [("1.1.1.1", True), ("::1", True), ("a.b", False)])
def test_what_is_an_address(host: str, address: bool) -> None:
    assert is_address(host) == address


def test_every_delivery_of_a_message_has_the_same_bytes() -> None:
    webhook = a_webhook()
    message = trial(webhook, id=UUID(int=7), now=NOW)
    assert message.body == replace(message).body
    assert json.loads(message.body)["type"] == "webhook.test"
