"""In whose name Suna is asked (suna.md §1.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol
from uuid import UUID

from app.domain.agents import SunaTokenExpired


class Credential(Protocol):
    """What a request shows to be let in."""

    #: What to look at when Suna does not let it in.
    advice: ClassVar[str]

    def headers(self) -> Mapping[str, str]:
        """Raises SunaTokenExpired."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`pk_...:sk_...`: one account for all users of Renum."""

    key: str = field(repr=False)
    advice: ClassVar[str] = "check SUNA_API_KEY"

    def headers(self) -> Mapping[str, str]:
        return {"X-API-Key": self.key}


_ONE_PROJECT = "with SUNA_AUTH_MODE=forward, Suna and Renum must share one Supabase project"


@dataclass(frozen=True, slots=True)
class RequestToken:
    """The token of the request that is being answered; never stored."""

    token: str = field(repr=False)
    advice: ClassVar[str] = _ONE_PROJECT

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


Mint = Callable[[UUID], str]


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A fresh token for a user who is not there: an execution outlives the token it began with."""

    user_id: UUID
    #: None without the project's signing secret.
    mint: Mint | None
    advice: ClassVar[str] = _ONE_PROJECT

    def headers(self) -> Mapping[str, str]:
        if self.mint is None:
            raise SunaTokenExpired(
                "The user's token cannot be renewed for a run in the background: set "
                "JWT_SECRET_KEY to the Supabase project's signing secret, or use "
                "SUNA_AUTH_MODE=api_key."
            )
        return {"Authorization": f"Bearer {self.mint(self.user_id)}"}
