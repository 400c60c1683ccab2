"""What a person is told when they are not watching."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.errors import NotFound


class NotificationType(StrEnum):
    EXECUTION_COMPLETED = "execution_completed"
    EXECUTION_FAILED = "execution_failed"
    EXECUTION_CANCELLED = "execution_cancelled"
    WEBHOOK_DISABLED = "webhook_disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Made in the transaction that makes it true, as the end of an execution."""

    id: UUID
    user_id: UUID
    type: NotificationType
    title: str
    message: str
    read: bool
    created_at: datetime
    #: What it is about: `execution_id` and `team_id`, or `webhook_id`.
    data: dict[str, UUID]


class NotificationNotFound(NotFound):
    """No such notification of this user."""

    code = "notification_not_found"
    title = "Notification not found"

    def __init__(self, notification_id: UUID) -> None:
        super().__init__(f"There is no notification {notification_id}.")
