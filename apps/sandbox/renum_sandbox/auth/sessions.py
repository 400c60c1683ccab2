"""
Sessions and their refresh tokens: rotation, and the exceptions that keep honest clients in.

Tokens look and behave as those of the newer kind (version 2): a token may be used once. Two
repeats are no theft and get the active token again: the parent of the active token at any time
(its answer was lost), and any token of a session that was refreshed in the last ten seconds (two
tabs at once). Every other repeat deletes the whole session.
"""

import secrets
from dataclasses import dataclass
from uuid import uuid4

from renum_sandbox.auth.errors import AuthError
from renum_sandbox.state import State

REUSE_INTERVAL_S = 10.0
_TOKEN_BYTES = 38


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    user_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Refreshed:
    """`reuse` says why a used token was accepted, empty when it was a first use."""

    session: Session
    refresh_token: str
    reuse: str = ""


def sign_in(state: State, user_id: str, *, now: float) -> tuple[Session, str]:
    """A new session and its first refresh token."""
    session = Session(str(uuid4()), user_id, now)
    with state.transaction():
        state.insert("sessions", id=session.id, user_id=user_id, created_at=now)
        token = _issue(state, session.id, parent=None)
    return session, token


def find(state: State, session_id: str) -> Session | None:
    row = state.one("SELECT * FROM sessions WHERE id = ?", (session_id,))
    return None if row is None else Session(row["id"], row["user_id"], row["created_at"])


def refresh(state: State, token: str, *, now: float) -> Refreshed:
    """Use a refresh token. Raises AuthError for an unknown one, and for a real reuse."""
    with state.transaction():
        row = state.one(
            """
            SELECT t.parent, t.used_at, s.id, s.user_id, s.created_at
              FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token = ?
            """,
            (token,),
        )
        if row is None:
            raise AuthError(
                400,
                "refresh_token_not_found",
                "Invalid Refresh Token: Refresh Token Not Found",
            )
        session = Session(row["id"], row["user_id"], row["created_at"])
        if row["used_at"] is None:
            state.run("UPDATE refresh_tokens SET used_at = ? WHERE token = ?", (now, token))
            return Refreshed(session, _issue(state, session.id, parent=token))
        active = state.one(
            """
            SELECT token, parent,
                   (SELECT max(used_at) FROM refresh_tokens WHERE session_id = a.session_id)
                       AS refreshed_at
              FROM refresh_tokens a WHERE session_id = ? AND used_at IS NULL
            """,
            (session.id,),
        )
        assert active is not None  # noqa: S101  every use of a token issues the next
        causes = {
            "concurrent-refresh": now - active["refreshed_at"] < REUSE_INTERVAL_S,
            "fail-to-save": active["parent"] == token,
        }
        if any(causes.values()):
            state.run("UPDATE refresh_tokens SET used_at = ? WHERE token = ?", (now, token))
            reuse = ",".join(cause for cause, holds in causes.items() if holds)
            return Refreshed(session, active["token"], reuse)
    # Outside of the transaction above, which an exception inside would roll back.
    state.run("DELETE FROM sessions WHERE id = ?", (session.id,))
    raise AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")


def sign_out(state: State, user_id: str, session: Session | None, scope: str) -> None:
    """
    End this session (`local`), all of the user (`global`), or all but this (`others`).

    Without a session every scope is global. Raises AuthError for another scope.
    """
    conditions = {
        "local": "id = :session",
        "global": "user_id = :user",
        "others": "user_id = :user AND id <> :session",
    }
    if scope not in conditions:
        raise AuthError(400, "validation_failed", f"Unsupported logout scope {scope!r}")
    state.run(
        f"DELETE FROM sessions WHERE {conditions[scope if session else 'global']}",  # noqa: S608
        {"session": session.id if session else None, "user": user_id},
    )


def _issue(state: State, session_id: str, *, parent: str | None) -> str:
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    state.insert("refresh_tokens", token=token, session_id=session_id, parent=parent)
    return token
