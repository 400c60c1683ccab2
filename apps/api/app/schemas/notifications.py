"""Notifications as they are answered (specification §6)."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.domain.notifications import NotificationType
from app.schemas.base import Answer
from app.schemas.paging import Pagination


class NotificationAnswer(Answer):
    id: UUID
    type: NotificationType
    title: str
    message: str
    read: bool
    created_at: datetime
    data: dict[str, UUID] = Field(
        description="What it is about: `execution_id` and `team_id`, or `webhook_id`."
    )


class NotificationsAnswer(Answer):
    notifications: list[NotificationAnswer]
    pagination: Pagination
    unread_count: int


class MarkedReadAnswer(Answer):
    marked: int = Field(description="How many were unread.")
