"""Suna's refusals: FastAPI's `{"detail": ...}`, with Suna's words."""

from typing import Any
from uuid import UUID

from fastapi import HTTPException

from renum_sandbox.suna.dialect import Dialect


def unauthenticated(message: str) -> HTTPException:
    return HTTPException(401, message, {"WWW-Authenticate": "Bearer"})


def agent_not_found(dialect: Dialect) -> HTTPException:
    return HTTPException(404, f"{dialect.agent_word} not found")


def agent_not_startable(dialect: Dialect) -> HTTPException:
    """Unknown or somebody else's: a start does not tell which."""
    return HTTPException(404, f"{dialect.agent_word} not found or access denied")


def denied() -> HTTPException:
    """Somebody else's private agent, or whatever else is not the caller's."""
    return HTTPException(403, "Access denied")


def agents_disabled() -> HTTPException:
    """Every agent route of an era A server whose feature flag is off, which is the default."""
    return HTTPException(
        403, "Custom agents currently disabled. This feature is not available at the moment."
    )


def thread_not_found() -> HTTPException:
    return HTTPException(404, "Thread not found")


def thread_denied() -> HTTPException:
    return HTTPException(403, "Not authorized to access this thread")


def run_not_found(dialect: Dialect) -> HTTPException:
    return HTTPException(404, f"{dialect.run_word} not found")


def project_not_found() -> HTTPException:
    return HTTPException(404, "Project not found")


def execution_ended() -> HTTPException:
    return HTTPException(409, "Execution has already ended")


def run_limit(dialect: Dialect, running: list[str], limit: int) -> HTTPException:
    """Too many parallel runs: 429 in era A and at the gateway, 402 with a code in A2 and B."""
    detail: dict[str, Any] = {
        "message": f"Maximum of {limit} parallel agent runs allowed within 24 hours. "
        f"You currently have {len(running)} running.",
        "running_thread_ids": running,
        "running_count": len(running),
        "limit": limit,
    }
    if not _has_codes(dialect):
        return HTTPException(429, detail)
    return HTTPException(402, {**detail, "error_code": "AGENT_RUN_LIMIT_EXCEEDED"})


def no_credits(dialect: Dialect) -> HTTPException:
    message = "Insufficient credits. Please add credits to continue."
    if not _has_codes(dialect):
        return HTTPException(402, {"message": message, "subscription": {"plan_name": "free"}})
    return HTTPException(402, {"message": message, "error_code": "INSUFFICIENT_CREDITS"})


def thread_limit() -> HTTPException:
    """A2 and B only."""
    message = "Thread limit reached. Please delete a thread or upgrade."
    return HTTPException(402, {"message": message, "error_code": "THREAD_LIMIT_EXCEEDED"})


def model_denied(dialect: Dialect) -> HTTPException:
    message = "Your plan does not include this model"
    if not _has_codes(dialect):
        return HTTPException(403, {"message": message, "allowed_models": ["kimi-k2"]})
    return HTTPException(402, {"message": message, "error_code": "MODEL_ACCESS_DENIED"})


def _has_codes(dialect: Dialect) -> bool:
    """Whether refusals are 402 with an `error_code`, which came with the unified start."""
    return dialect in (Dialect.START_A2, Dialect.START)


def require_uuid(value: str, doing: str) -> None:
    """Suna types ids as text and lets the database refuse them: 500, not 422."""
    try:
        UUID(value)
    except ValueError as error:
        raise HTTPException(
            500, f"{doing}: invalid input syntax for type uuid: {value!r}"
        ) from error
