"""Signing in: what is asked and what is given."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.schemas.base import Answer, Request


class Login(Request):
    email: str = Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")
    password: str = Field(min_length=1, max_length=1024)
    captcha_token: str | None = Field(
        None, max_length=4096, description="Where the Supabase project asks for a captcha."
    )


class Refresh(Request):
    """Instead of the header, for clients that keep headers for access tokens."""

    refresh_token: str = Field(min_length=1)


class UserAnswer(Answer):
    id: UUID
    email: str
    name: str


class SessionAnswer(Answer):
    """Keep the newest `refresh_token`: it is good for one refresh, which gives the next one."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  not a token
    expires_in: int = Field(description="Life of the access token in seconds.")
    expires_at: int = Field(description="End of the access token in Unix seconds.")
    refresh_token: str
    user: UserAnswer
