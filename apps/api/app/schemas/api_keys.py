"""API keys as they are asked for and answered."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from app.domain.api_keys import Scope
from app.schemas.base import Answer, InOrder, Request, Timestamp
from app.schemas.paging import Pagination


class CreateApiKey(Request):
    name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
        Field(examples=["Nightly report"]),
    ]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=3, examples=[["read"]])]
    expires_at: Timestamp | None = Field(None, description="Never, when left out.")


class ApiKeyAnswer(Answer):
    id: UUID
    name: str
    prefix: str = Field(description="How the key begins, to tell it from others.")
    scopes: Annotated[list[Scope], InOrder]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class NewApiKeyAnswer(ApiKeyAnswer):
    """The one time that the key itself is shown."""

    key: str


class ApiKeysAnswer(Answer):
    api_keys: list[ApiKeyAnswer]
    pagination: Pagination
