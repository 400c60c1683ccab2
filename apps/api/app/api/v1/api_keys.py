"""API keys, for machines that act in a user's name (additive)."""

from uuid import UUID

from fastapi import Response

from app.api.deps import Call, PageQuery
from app.api.errors import problem
from app.api.section import Section
from app.domain.api_keys import ApiKeyNotFound, InsufficientScope, TooManyApiKeys
from app.domain.errors import Invalid, Problem
from app.schemas.api_keys import ApiKeyAnswer, ApiKeysAnswer, CreateApiKey, NewApiKeyAnswer
from app.schemas.paging import Pagination
from app.usecases import api_keys

router = Section(prefix="/api-keys", tags=["API keys"])


@router.post(
    "",
    response_model=NewApiKeyAnswer,
    status_code=201,
    responses=problem(InsufficientScope, TooManyApiKeys),
)
async def create_api_key(body: CreateApiKey, call: Call, response: Response) -> NewApiKeyAnswer:
    """Make an API key. It is shown in this answer and never again."""
    now = call.services.clock()
    if body.expires_at is not None and body.expires_at <= now:
        place = Problem(("expires_at",), "in_the_past", "must be in the future")
        raise Invalid("Not acceptable: expires_at is over already.", [place])
    key, secret = await api_keys.create_api_key(
        call.services.db,
        call.services.new_id,
        user=call.user,
        name=body.name,
        scopes=frozenset(body.scopes),
        expires_at=body.expires_at,
        now=now,
    )
    response.headers["Cache-Control"] = "no-store"
    shown = ApiKeyAnswer.model_validate(key)
    return NewApiKeyAnswer(**shown.model_dump(), key=secret.text)


@router.get("", response_model=ApiKeysAnswer, responses=problem(InsufficientScope))
async def list_api_keys(call: Call, page: PageQuery) -> dict[str, object]:
    """List the caller's API keys, newest first."""
    found = await api_keys.list_api_keys(call.services.db, page, user_id=call.user.id)
    return {"api_keys": found.items, "pagination": Pagination.of(page, found.total)}


@router.delete("/{key_id}", status_code=204, responses=problem(InsufficientScope, ApiKeyNotFound))
async def delete_api_key(key_id: UUID, call: Call) -> None:
    """Delete an API key: it opens nothing from here on, and ends its live streams in minutes."""
    await api_keys.delete_api_key(call.services.db, key_id, user_id=call.user.id)
