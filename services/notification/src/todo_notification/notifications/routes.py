"""HTTP interface of notifications, `/api/notifications`; its docstrings are descriptions in OpenAPI."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from todo_kit.auth import CurrentPrincipal
from todo_kit.problems import (
    UnauthorizedError,
    UnavailableError,
    ValidationFailedError,
    problem_responses,
)
from todo_notification.errors import NotificationNotFoundError
from todo_notification.notifications.schemas import (
    Notification,
    NotificationPage,
    NotificationQuery,
    UnreadCount,
)
from todo_notification.notifications.service import NotificationService

router = APIRouter(
    prefix="/api/notifications",
    tags=["notifications"],
    responses=problem_responses(UnauthorizedError, ValidationFailedError, UnavailableError),
)


def _service(request: Request) -> NotificationService:
    service: NotificationService = request.app.state.notifications
    return service


Notifications = Annotated[NotificationService, Depends(_service)]


@router.get("")
async def list_notifications(
    notifications: Notifications, caller: CurrentPrincipal, query: Annotated[NotificationQuery, Query()]
) -> NotificationPage:
    """List the caller's notifications, newest first."""
    return await notifications.page(caller.user_id, query)


@router.get("/unread-count")
async def get_unread_count(notifications: Notifications, caller: CurrentPrincipal) -> UnreadCount:
    """Count the caller's unread notifications."""
    return UnreadCount(count=await notifications.count_unread(caller.user_id))


@router.post("/read-all", status_code=204)
async def mark_all_read(notifications: Notifications, caller: CurrentPrincipal) -> None:
    """Mark all of the caller's notifications read."""
    await notifications.mark_all_read(caller.user_id)


@router.patch("/{notification_id}/read", responses=problem_responses(NotificationNotFoundError))
async def mark_read(
    notifications: Notifications, caller: CurrentPrincipal, notification_id: UUID
) -> Notification:
    """Mark one notification read."""
    return await notifications.mark_read(caller.user_id, notification_id)
