"""Notifications (specification §6)."""

from uuid import UUID

from app.api.deps import Call, PageQuery
from app.api.errors import problem
from app.api.section import Section
from app.domain.notifications import Notification, NotificationNotFound
from app.schemas.notifications import MarkedReadAnswer, NotificationAnswer, NotificationsAnswer
from app.schemas.paging import Pagination
from app.usecases import notifications

router = Section(prefix="/notifications", tags=["Notifications"])


@router.get("", response_model=NotificationsAnswer)
async def list_notifications(
    call: Call, page: PageQuery, *, unread: bool = False
) -> dict[str, object]:
    """List the caller's notifications, newest first; `unread=true` leaves out what was read."""
    found, unread_count = await notifications.list_notifications(
        call.services.db, page, user_id=call.user.id, unread_only=unread
    )
    return {
        "notifications": found.items,
        "pagination": Pagination.of(page, found.total),
        "unread_count": unread_count,
    }


@router.put("/read-all", response_model=MarkedReadAnswer)
async def mark_all_notifications_read(call: Call) -> dict[str, int]:
    """Mark all notifications as read."""
    return {"marked": await notifications.mark_all_read(call.services.db, user_id=call.user.id)}


@router.put(
    "/{notification_id}/read",
    response_model=NotificationAnswer,
    responses=problem(NotificationNotFound),
)
async def mark_notification_read(notification_id: UUID, call: Call) -> Notification:
    """Mark a notification as read; doing it again changes nothing."""
    return await notifications.mark_read(call.services.db, notification_id, user_id=call.user.id)
