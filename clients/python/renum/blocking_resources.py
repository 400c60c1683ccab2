"""
The API's things without `async`, as in `renum.resources`.

Made by `make client`: change the classes there instead.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from renum import resources
from renum.loop import Loop
from renum.models import (
    Agent,
    AgentPage,
    Cancelled,
    Event,
    Execution,
    ExecutionPage,
    Explanation,
    LogLine,
    LogPage,
    MarkedRead,
    Notification,
    NotificationPage,
    Plan,
    Team,
    TeamPage,
    TeamSummary,
    TeamVersion,
    TeamVersionPage,
    Timeline,
)
from renum.resources.api_keys import ApiKey, ApiKeyPage, NewApiKey
from renum.resources.webhooks import (
    DeliveryPage,
    DeliveryWithBody,
    Webhook,
    WebhookPage,
    WebhookWithSecret,
)


class Agents:
    """Suna's agents, which teams are made of."""

    def __init__(self, loop: Loop, there: resources.Agents) -> None:
        self._loop = loop
        self._there = there

    def list(
        self,
        *,
        page: int = 1,
        limit: int = 10,
        search: str | None = None,
        category: str | None = None,
    ) -> AgentPage:
        """One page of them."""
        return self._loop.run(
            self._there.list(page=page, limit=limit, search=search, category=category)
        )

    def all(self, *, search: str | None = None) -> Iterator[Agent]:
        """Every agent; one request per 100."""
        return self._loop.iterate(self._there.all(search=search))

    def get(self, agent_id: str) -> Agent:
        """Raises NotFound where Suna has no such agent."""
        return self._loop.run(self._there.get(agent_id))


class ApiKeys:
    """The user's API keys; they are managed after a login, not with a key."""

    def __init__(self, loop: Loop, there: resources.ApiKeys) -> None:
        self._loop = loop
        self._there = there

    def list(self, *, page: int = 1, limit: int = 10) -> ApiKeyPage:
        """One page of them, newest first."""
        return self._loop.run(self._there.list(page=page, limit=limit))

    def all(self) -> Iterator[ApiKey]:
        """Every key; one request per 100."""
        return self._loop.iterate(self._there.all())

    def create(
        self, name: str, scopes: Sequence[str], *, expires_at: datetime | None = None
    ) -> NewApiKey:
        """
        A key that may do what `scopes` say: `read`, `execute`, `manage`; for ever unless
        `expires_at` says otherwise. Sent once: a second key must not be made by accident.
        """
        return self._loop.run(self._there.create(name, scopes, expires_at=expires_at))

    def delete(self, key_id: str) -> None:
        """It opens nothing from now on."""
        return self._loop.run(self._there.delete(key_id))


class Executions:
    """Runs of teams; they are started by `teams.execute`."""

    def __init__(self, loop: Loop, there: resources.Executions) -> None:
        self._loop = loop
        self._there = there

    def get(self, execution_id: str) -> Execution:
        """Raises NotFound where there is none of this user."""
        return self._loop.run(self._there.get(execution_id))

    def list(
        self,
        *,
        team_id: str | None = None,
        status: str | Sequence[str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        page: int = 1,
        limit: int = 10,
    ) -> ExecutionPage:
        """Newest first; with several values of `status`, any of them. Times need a time zone."""
        return self._loop.run(
            self._there.list(
                team_id=team_id,
                status=status,
                created_after=created_after,
                created_before=created_before,
                page=page,
                limit=limit,
            )
        )

    def all(
        self, *, team_id: str | None = None, status: str | Sequence[str] | None = None
    ) -> Iterator[Execution]:
        """Every execution; one request per 100."""
        return self._loop.iterate(self._there.all(team_id=team_id, status=status))

    def logs(self, execution_id: str, *, after: int = 0, limit: int = 100) -> LogPage:
        """The log lines after line number `after`, oldest first."""
        return self._loop.run(self._there.logs(execution_id, after=after, limit=limit))

    def all_logs(self, execution_id: str, *, after: int = 0) -> Iterator[LogLine]:
        """Every log line after number `after`, in as many requests as it takes."""
        return self._loop.iterate(self._there.all_logs(execution_id, after=after))

    def explain(self, execution_id: str) -> Explanation:
        """What it waits for, and what happens next."""
        return self._loop.run(self._there.explain(execution_id))

    def timeline(self, execution_id: str) -> Timeline:
        """Where its time went, attempt by attempt."""
        return self._loop.run(self._there.timeline(execution_id))

    def result_text(
        self, execution_id: str, key: str, field: Literal["input", "output"] = "output"
    ) -> str:
        """The whole text of a result, which `get` may give the beginning of only."""
        return self._loop.run(self._there.result_text(execution_id, key, field))

    def events(self, execution_id: str, *, after: int = 0) -> Iterator[Event]:
        """
        Its events after number `after`, to its end, over server-sent events; a lost connection
        comes back by itself. `client.events` has everything of the user on one connection.
        """
        return self._loop.iterate(self._there.events(execution_id, after=after))

    def retry(self, execution_id: str, *, idempotency_key: str | None = None) -> Execution:
        """
        A new execution that takes over what a failed or cancelled one has finished.

        Raises Conflict for any other; the key is as in `teams.execute`.
        """
        return self._loop.run(self._there.retry(execution_id, idempotency_key=idempotency_key))

    def cancel(self, execution_id: str) -> Cancelled:
        """Cancelling twice is no error; a completed or failed one is a Conflict."""
        return self._loop.run(self._there.cancel(execution_id))


class Notifications:
    """What happened while nobody looked."""

    def __init__(self, loop: Loop, there: resources.Notifications) -> None:
        self._loop = loop
        self._there = there

    def list(
        self, *, page: int = 1, limit: int = 10, unread: bool | None = None
    ) -> NotificationPage:
        """One page of them, newest first."""
        return self._loop.run(self._there.list(page=page, limit=limit, unread=unread))

    def all(self, *, unread: bool | None = None) -> Iterator[Notification]:
        """Every notification; one request per 100."""
        return self._loop.iterate(self._there.all(unread=unread))

    def mark_read(self, notification_id: str) -> Notification:
        """Marking twice is no error."""
        return self._loop.run(self._there.mark_read(notification_id))

    def mark_all_read(self) -> MarkedRead:
        """Mark all that there are now."""
        return self._loop.run(self._there.mark_all_read())


class Teams:
    """The user's teams."""

    def __init__(self, loop: Loop, there: resources.Teams) -> None:
        self._loop = loop
        self._there = there

    def list(self, *, page: int = 1, limit: int = 10, search: str | None = None) -> TeamPage:
        """One page of them, newest first."""
        return self._loop.run(self._there.list(page=page, limit=limit, search=search))

    def all(self, *, search: str | None = None) -> Iterator[TeamSummary]:
        """Every team; one request per 100."""
        return self._loop.iterate(self._there.all(search=search))

    def create(self, team: Mapping[str, Any], *, idempotency_key: str | None = None) -> Team:
        """
        `team` is the specification's JSON: name, workflow_type, agents and so on.

        The same call with the same `idempotency_key` makes one team, within a day.
        """
        return self._loop.run(self._there.create(team, idempotency_key=idempotency_key))

    def validate(self, team: Mapping[str, Any]) -> Plan:
        """What a team made of this would do; nothing is stored. Raises InvalidRequest."""
        return self._loop.run(self._there.validate(team))

    def get(self, team_id: str) -> Team:
        """Raises NotFound where there is none of this user."""
        return self._loop.run(self._there.get(team_id))

    def update(
        self, team_id: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Team:
        """
        Change any subset of fields.

        With `version` (sent as If-Match) Conflict is raised, and nothing changed, when the team
        has another by now. Without it the last change wins.
        """
        return self._loop.run(self._there.update(team_id, changes, version=version))

    def delete(self, team_id: str, *, version: int | None = None) -> None:
        """`version` as in `update`. Raises Conflict while one of its executions goes on."""
        return self._loop.run(self._there.delete(team_id, version=version))

    def versions(self, team_id: str, *, page: int = 1, limit: int = 10) -> TeamVersionPage:
        """What the team was before each change, newest first."""
        return self._loop.run(self._there.versions(team_id, page=page, limit=limit))

    def all_versions(self, team_id: str) -> Iterator[TeamVersion]:
        """Every version; one request per 100."""
        return self._loop.iterate(self._there.all_versions(team_id))

    def plan(
        self,
        team_id: str,
        prompt: str | None = None,
        *,
        context: Mapping[str, Any] | None = None,
        timeout_minutes: int | None = None,
        parallel_limit: int | None = None,
        retry_failed: bool | None = None,
    ) -> Plan:
        """What `execute` would do with these; nothing starts."""
        return self._loop.run(
            self._there.plan(
                team_id,
                prompt,
                context=context,
                timeout_minutes=timeout_minutes,
                parallel_limit=parallel_limit,
                retry_failed=retry_failed,
            )
        )

    def execute(
        self,
        team_id: str,
        prompt: str,
        *,
        context: Mapping[str, Any] | None = None,
        timeout_minutes: int | None = None,
        parallel_limit: int | None = None,
        retry_failed: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Execution:
        """
        Start a run; None leaves a choice to the server.

        The same call with the same `idempotency_key` starts one run, within a day.
        """
        return self._loop.run(
            self._there.execute(
                team_id,
                prompt,
                context=context,
                timeout_minutes=timeout_minutes,
                parallel_limit=parallel_limit,
                retry_failed=retry_failed,
                idempotency_key=idempotency_key,
            )
        )


class Webhooks:
    """The user's webhooks. What changes one is sent once."""

    def __init__(self, loop: Loop, there: resources.Webhooks) -> None:
        self._loop = loop
        self._there = there

    def list(self, *, page: int = 1, limit: int = 10) -> WebhookPage:
        """One page of them, newest first."""
        return self._loop.run(self._there.list(page=page, limit=limit))

    def all(self) -> Iterator[Webhook]:
        """Every webhook; one request per 100."""
        return self._loop.iterate(self._there.all())

    def create(
        self, url: str, *, description: str = "", events: Sequence[str] | None = None
    ) -> WebhookWithSecret:
        """`events` None means all kinds."""
        return self._loop.run(self._there.create(url, description=description, events=events))

    def get(self, webhook_id: str) -> Webhook:
        """Raises NotFound where there is none of this user."""
        return self._loop.run(self._there.get(webhook_id))

    def update(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        description: str | None = None,
        events: Sequence[str] | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """None leaves a field as it is; `enabled=True` also forgets past failures."""
        return self._loop.run(
            self._there.update(
                webhook_id, url=url, description=description, events=events, enabled=enabled
            )
        )

    def delete(self, webhook_id: str) -> None:
        """Nothing is sent to it any more."""
        return self._loop.run(self._there.delete(webhook_id))

    def rotate_secret(self, webhook_id: str) -> WebhookWithSecret:
        """A new secret; the server says how long the old one still signs too."""
        return self._loop.run(self._there.rotate_secret(webhook_id))

    def test(self, webhook_id: str) -> DeliveryWithBody:
        """Send it a message that means nothing."""
        return self._loop.run(self._there.test(webhook_id))

    def deliveries(
        self, webhook_id: str, *, status: str | None = None, page: int = 1, limit: int = 10
    ) -> DeliveryPage:
        """What was and will be sent to it, newest first."""
        return self._loop.run(
            self._there.deliveries(webhook_id, status=status, page=page, limit=limit)
        )

    def delivery(self, webhook_id: str, delivery_id: str) -> DeliveryWithBody:
        """One of its deliveries, with its body."""
        return self._loop.run(self._there.delivery(webhook_id, delivery_id))

    def redeliver(self, webhook_id: str, delivery_id: str) -> DeliveryWithBody:
        """Send the same message again."""
        return self._loop.run(self._there.redeliver(webhook_id, delivery_id))
