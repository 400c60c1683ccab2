"""Notifications."""

from collections.abc import AsyncIterator

from renum.models import MarkedRead, Notification, NotificationPage
from renum.resources.base import LARGEST_PAGE, Resource, pages, part


class Notifications(Resource):
    """What happened while nobody looked."""

    async def list(
        self, *, page: int = 1, limit: int = 10, unread: bool | None = None
    ) -> NotificationPage:
        """One page of them, newest first."""
        params = {"page": page, "limit": limit, "unread": unread}
        return await self._ask(NotificationPage, "GET", "notifications", params=params)

    async def all(self, *, unread: bool | None = None) -> AsyncIterator[Notification]:
        """Every notification; one request per 100."""
        async for page in pages(
            lambda number: self.list(page=number, limit=LARGEST_PAGE, unread=unread)
        ):
            for notification in page.notifications:
                yield notification

    async def mark_read(self, notification_id: str) -> Notification:
        """Marking twice is no error."""
        return await self._ask(Notification, "PUT", f"notifications/{part(notification_id)}/read")

    async def mark_all_read(self) -> MarkedRead:
        """Mark all that there are now."""
        return await self._ask(MarkedRead, "PUT", "notifications/read-all")
