"""Messages to webhooks, and how far each is on its way (Standard Webhooks 1.0.0)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from app.domain.errors import NotFound
from app.domain.execution import Execution
from app.domain.notifications import Notification

#: Waits between the attempts at one delivery: ten attempts, within three and a half days.
WAITS = tuple(
    timedelta(seconds=s) for s in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
_LONGEST_WAIT = timedelta(hours=24)
#: Attempts of a delivery that its log shows, the latest ones.
SHOWN_ATTEMPTS = 20
_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMessage:
    """What is told; every endpoint and every attempt gets the same bytes."""

    #: Names the message: a receiver that knows it has seen it.
    id: UUID
    type: str
    timestamp: datetime
    data: Mapping[str, object]

    @property
    def body(self) -> str:
        told = {"type": self.type, "timestamp": _text(self.timestamp), "data": self.data}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"), default=_text)


def ending(execution: Execution, notification: Notification) -> WebhookMessage:
    """What is told of an execution that has ended; its id is the notification's."""
    return WebhookMessage(
        id=notification.id,
        type=notification.type.replace("_", ".", 1),
        timestamp=notification.created_at,
        data={
            "execution_id": execution.id,
            "team_id": execution.team_id,
            "team_name": execution.team_name,
            "team_version": execution.team_version,
            "status": execution.status,
            "progress": asdict(execution.progress),
            "created_at": execution.created_at,
            "started_at": execution.started_at,
            "completed_at": execution.completed_at,
            "error_code": execution.error_code,
            "error_message": execution.error_message,
            "retry_of": execution.retry_of,
            "message": notification.message,
        },
    )


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


class DeliveryStatus(StrEnum):
    """How far a delivery is."""

    #: To be attempted, now or later.
    PENDING = "pending"
    DELIVERED = "delivered"
    #: Given up; it can be sent again on request.
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request to an endpoint."""

    at: datetime
    duration_ms: int
    #: None where no answer came.
    status_code: int | None
    #: Why it does not count as delivered; None when it does.
    error: str | None
    #: How the answer's body begins.
    response: str | None

    @property
    def gone(self) -> bool:
        return self.status_code == _GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message on its way to one endpoint, and what came of it."""

    webhook_id: UUID
    user_id: UUID
    #: The message's.
    id: UUID
    type: str
    body: str
    status: DeliveryStatus
    created_at: datetime
    #: Of this try at delivering it; begun anew when it is sent again on request.
    tries: int = 0
    #: The latest ones, oldest first.
    attempts: tuple[Attempt, ...] = ()
    next_attempt_at: datetime | None
    completed_at: datetime | None = None

    @classmethod
    def of(cls, message: WebhookMessage, *, webhook_id: UUID, user_id: UUID, now: datetime) -> Self:
        return cls(
            webhook_id=webhook_id,
            user_id=user_id,
            id=message.id,
            type=message.type,
            body=message.body,
            status=DeliveryStatus.PENDING,
            created_at=now,
            next_attempt_at=now,
        )

    def after(
        self, attempt: Attempt, *, now: datetime, asked_to_wait_s: int | None, jitter: float
    ) -> Self:
        """
        What becomes of it by an attempt.

        *asked_to_wait_s* is what the endpoint asked for; *jitter*, from 0 to 1, spreads what
        failed together.
        """
        attempts = (*self.attempts, attempt)[-SHOWN_ATTEMPTS:]
        tries = self.tries + 1
        if attempt.error is None or attempt.gone or tries > len(WAITS):
            status = DeliveryStatus.FAILED if attempt.error else DeliveryStatus.DELIVERED
            ended = replace(self, status=status, tries=tries, attempts=attempts)
            return replace(ended, next_attempt_at=None, completed_at=now)
        wait = WAITS[tries - 1] * (1 + jitter / 10)
        if asked_to_wait_s is not None:
            wait = min(max(wait, timedelta(seconds=asked_to_wait_s)), _LONGEST_WAIT)
        return replace(self, tries=tries, attempts=attempts, next_attempt_at=now + wait)

    def given_up(self, now: datetime) -> Self:
        """Not attempted: its endpoint is switched off."""
        return replace(self, status=DeliveryStatus.FAILED, next_attempt_at=None, completed_at=now)

    def again(self, now: datetime) -> Self:
        """On request: from the first attempt on, now."""
        return replace(
            self, status=DeliveryStatus.PENDING, tries=0, next_attempt_at=now, completed_at=None
        )


class DeliveryNotFound(NotFound):
    """No such delivery of this webhook; deliveries that have ended are kept for 30 days."""

    code = "delivery_not_found"
    title = "Delivery not found"

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"There is no delivery {delivery_id} of this webhook.")
