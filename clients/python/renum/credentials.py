"""Tokens, and where they are kept between two uses."""

import asyncio
import hashlib
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ValidationError

from renum.models import TokenAnswer, User

try:
    import fcntl
except ImportError:  # pragma: no cover  Windows: two processes may refresh at the same time
    fcntl = None  # type: ignore[assignment]

_LOCK_LIMIT_S = 10.0
_LOCK_POLL_S = 0.02


class Tokens(BaseModel):
    """What a login gives. `expires_at` is in seconds since the epoch, by this machine's clock."""

    access_token: str
    refresh_token: str | None = None
    expires_at: float | None = None
    user: User | None = None

    @classmethod
    def from_answer(cls, answer: TokenAnswer, *, before: "Tokens | None" = None) -> "Tokens":
        """
        Tokens of a login or refresh answer; what it lacks is kept from `before`.

        The end is counted from now with `expires_in`: the server's clock may differ from ours.
        """
        life_s = answer.expires_in
        return cls(
            access_token=answer.access_token,
            refresh_token=answer.refresh_token or (before and before.refresh_token),
            expires_at=None if life_s is None else time.time() + life_s,
            user=answer.user or (before and before.user),
        )

    def expires_within(self, seconds: float) -> bool:
        """False when the end is unknown."""
        return self.expires_at is not None and self.expires_at - time.time() <= seconds


class TokenStore(Protocol):
    """Keeps the tokens of one server. Refresh tokens rotate: each save replaces the last."""

    def load(self) -> Tokens | None:
        """The tokens saved last, or None; never raises for damaged content."""

    def save(self, tokens: Tokens | None) -> None:
        """Replace the tokens at once and for good; None forgets them."""

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Held during a refresh, so that two users of one store do not spend one token twice."""


class MemoryTokenStore:
    """TokenStore for the life of the process."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens
        self._lock = asyncio.Lock()

    def load(self) -> Tokens | None:
        return self._tokens

    def save(self, tokens: Tokens | None) -> None:
        self._tokens = tokens

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        return self._lock


class FileTokenStore:
    """TokenStore in one file per server, readable by its owner only."""

    def __init__(self, folder: Path, url: str) -> None:
        self.path = folder / f"{_slug(url)}.json"

    def load(self) -> Tokens | None:
        try:
            return Tokens.model_validate_json(self.path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def save(self, tokens: Tokens | None) -> None:
        if tokens is None:
            self.path.unlink(missing_ok=True)
            return
        self._make_folder()
        # mkstemp gives mode 0600; the rename is atomic, so a reader never sees half a file.
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".tokens-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(tokens.model_dump_json(indent=2))
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """A lock between processes; after 10 s it goes on without, as a holder may be stuck."""
        if fcntl is None:  # pragma: no cover
            yield
            return
        self._make_folder()
        with self.path.with_suffix(".lock").open("w") as file:
            deadline = time.monotonic() + _LOCK_LIMIT_S
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(_LOCK_POLL_S)
            yield

    def _make_folder(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _slug(url: str) -> str:
    """A readable file name, unique by its hash."""
    readable = re.sub(r"[^a-z0-9]+", "-", url.lower().split("://")[-1]).strip("-")[:60]
    return f"{readable}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
