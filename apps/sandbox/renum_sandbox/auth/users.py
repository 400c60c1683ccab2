"""The demo users and how Supabase Auth shows a user."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from renum_sandbox import constants
from renum_sandbox.state import State

_CREATED_AT = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
_FOR_A_CENTURY_S = 100 * 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: str
    email: str
    full_name: str
    password_hash: str
    confirmed: bool
    banned: bool
    created_at: float
    last_sign_in_at: float | None

    @property
    def app_metadata(self) -> dict[str, Any]:
        return {"provider": "email", "providers": ["email"]}

    @property
    def user_metadata(self) -> dict[str, Any]:
        return {
            "email": self.email,
            "email_verified": self.confirmed,
            "full_name": self.full_name,
            "phone_verified": False,
            "sub": self.id,
        }

    def as_json(self) -> dict[str, Any]:
        """The `user` object of sessions and of `GET /user`."""
        made = iso_time(self.created_at)
        confirmed = made if self.confirmed else None
        seen = None if self.last_sign_in_at is None else iso_time(self.last_sign_in_at)
        body: dict[str, Any] = {
            "id": self.id,
            "aud": "authenticated",
            "role": "authenticated",
            "email": self.email,
            "email_confirmed_at": confirmed,
            "phone": "",
            "confirmed_at": confirmed,
            "last_sign_in_at": seen,
            "app_metadata": self.app_metadata,
            "user_metadata": self.user_metadata,
            "identities": [
                {
                    "identity_id": self.id,
                    "id": self.id,
                    "user_id": self.id,
                    "identity_data": self.user_metadata,
                    "provider": "email",
                    "last_sign_in_at": seen,
                    "created_at": made,
                    "updated_at": made,
                    "email": self.email,
                }
            ],
            "created_at": made,
            "updated_at": seen or made,
            "is_anonymous": False,
        }
        if self.banned:
            body["banned_until"] = iso_time(self.created_at + _FOR_A_CENTURY_S)
        # GoTrue leaves out what is not set.
        return {key: value for key, value in body.items() if value is not None}


def iso_time(at: float) -> str:
    """RFC 3339 in UTC with `Z`, from seconds since the epoch."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def seed(state: State) -> None:
    """Store the demo users that are not stored yet."""
    for user_id, email, full_name, confirmed, banned in (
        (constants.ANA_ID, constants.ANA_EMAIL, "Ana Souza", 1, 0),
        (constants.BRUNO_ID, constants.BRUNO_EMAIL, "Bruno Lima", 1, 0),
        (
            "0c000000-0000-4000-8000-000000000003",
            constants.UNCONFIRMED_EMAIL,
            "Carla Dias",
            0,
            0,
        ),
        ("0d000000-0000-4000-8000-000000000004", constants.BANNED_EMAIL, "Davi Rocha", 1, 1),
    ):
        state.run(
            """
            INSERT INTO users (id, email, full_name, password_hash, confirmed, banned, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """,
            (
                user_id,
                email,
                full_name,
                constants.DEMO_PASSWORD_HASH,
                confirmed,
                banned,
                _CREATED_AT,
            ),
        )


def by_email(state: State, email: str) -> User | None:
    """E-mail addresses are stored in lower case, as Supabase does."""
    return _user(state.one("SELECT * FROM users WHERE email = ?", (email.strip().lower(),)))


def by_id(state: State, user_id: str) -> User | None:
    return _user(state.one("SELECT * FROM users WHERE id = ?", (user_id,)))


def signed_in(state: State, user_id: str, at: float) -> None:
    state.run("UPDATE users SET last_sign_in_at = ? WHERE id = ?", (at, user_id))


def _user(row: sqlite3.Row | None) -> User | None:
    if row is None:
        return None
    values = dict(row)
    return User(
        **{**values, "confirmed": bool(values["confirmed"]), "banned": bool(values["banned"])}
    )
