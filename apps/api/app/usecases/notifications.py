"""Notifications as a person reads them; executions make them when they end."""

from uuid import UUID

from app.common.paging import Page, Paged
from app.domain.notifications import Notification
from app.usecases.ports import Database


async def list_notifications(
    db: Database, page: Page, *, user_id: UUID, unread_only: bool
) -> tuple[Paged[Notification], int]:
    """The user's notifications, newest first, and how many are unread in all."""
    async with db.autocommit() as tx:
        return await tx.notifications.page(page, user_id=user_id, unread_only=unread_only)


async def mark_read(db: Database, notification_id: UUID, *, user_id: UUID) -> Notification:
    """Reading twice is fine. Raises NotificationNotFound."""
    async with db.autocommit() as tx:
        return await tx.notifications.mark_read(notification_id, user_id=user_id)


async def mark_all_read(db: Database, *, user_id: UUID) -> int:
    """How many were unread."""
    async with db.autocommit() as tx:
        return await tx.notifications.mark_all_read(user_id)
