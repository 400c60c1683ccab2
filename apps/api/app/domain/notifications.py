"""What a person is told when an execution ends."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.errors import NotFound


class NotificationType(StrEnum):
    EXECUTION_COMPLETED = "execution_completed"
    EXECUTION_FAILED = "execution_failed"
    EXECUTION_CANCELLED = "execution_cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Made in the transaction that ends the execution."""

    id: UUID
    user_id: UUID
    type: NotificationType
    title: str
    message: str
    read: bool
    created_at: datetime
    #: `execution_id` and `team_id`.
    data: dict[str, UUID]


class NotificationNotFound(NotFound):
    """No such notification of this user."""

    code = "notification_not_found"
    title = "Notification not found"

    def __init__(self, notification_id: UUID) -> None:
        super().__init__(f"There is no notification {notification_id}.")
