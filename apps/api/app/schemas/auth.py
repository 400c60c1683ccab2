"""Signing in: what is asked and what is given."""

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from app.schemas.base import Answer, Request

_USER: JsonDict = {
    "id": "0a4a0000-0000-4000-8000-000000000001",
    "email": "user@example.com",
    "name": "User Name",
}
_TOKENS: JsonDict = {
    "access_token": "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9...",
    "token_type": "bearer",
    "expires_in": 3600,
    "expires_at": 1755260280,
    "refresh_token": "v1r2s3t4u5w6",
}


class Login(Request):
    model_config = ConfigDict(
        json_schema_extra={"example": {"email": "user@example.com", "password": "password123"}}
    )

    email: str = Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")
    password: str = Field(min_length=1, max_length=1024)
    captcha_token: str | None = Field(
        None, max_length=4096, description="Where the Supabase project asks for a captcha."
    )


class Refresh(Request):
    """Instead of the header, for clients that keep headers for access tokens."""

    model_config = ConfigDict(json_schema_extra={"example": {"refresh_token": "v1r2s3t4u5w6"}})

    refresh_token: str = Field(min_length=1)


class UserAnswer(Answer):
    model_config = ConfigDict(json_schema_extra={"example": _USER})

    id: UUID
    email: str
    name: str


class SessionAnswer(Answer):
    """Keep the newest `refresh_token`: it is good for one refresh, which gives the next one."""

    model_config = ConfigDict(json_schema_extra={"example": {**_TOKENS, "user": _USER}})

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  not a token
    expires_in: int = Field(description="Life of the access token in seconds.")
    expires_at: int = Field(description="End of the access token in Unix seconds.")
    refresh_token: str
    user: UserAnswer
