"""API keys: how machines act in a user's name."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from renum.models import Answer, Pagination
from renum.resources.base import LARGEST_PAGE, Resource, pages, part


class ApiKey(Answer):
    """A key without its secret; `prefix` is how it begins, `last_used_at` is to the minute."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class NewApiKey(ApiKey):
    """The one time that the key itself is shown."""

    key: str


class ApiKeyPage(Answer):
    api_keys: list[ApiKey]
    pagination: Pagination


class ApiKeys(Resource):
    """The user's API keys; they are managed after a login, not with a key."""

    async def list(self, *, page: int = 1, limit: int = 10) -> ApiKeyPage:
        """One page of them, newest first."""
        return await self._ask(ApiKeyPage, "GET", "api-keys", params={"page": page, "limit": limit})

    async def all(self) -> AsyncIterator[ApiKey]:
        """Every key; one request per 100."""
        async for page in pages(lambda number: self.list(page=number, limit=LARGEST_PAGE)):
            for key in page.api_keys:
                yield key

    async def create(
        self, name: str, scopes: Sequence[str], *, expires_at: datetime | None = None
    ) -> NewApiKey:
        """
        A key that may do what `scopes` say: `read`, `execute`, `manage`; for ever unless
        `expires_at` says otherwise. Sent once: a second key must not be made by accident.
        """
        body: dict[str, object] = {"name": name, "scopes": [*scopes]}
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        return await self._ask(NewApiKey, "POST", "api-keys", json=body)

    async def delete(self, key_id: str) -> None:
        """It opens nothing from now on."""
        await self._session.send("DELETE", f"api-keys/{part(key_id)}")
