"""TokenVerifier over the keys of a Supabase project, published or shared."""

from functools import lru_cache

import structlog
from jwt import PyJWK

from app.core.security import (
    ASYMMETRIC,
    SHARED,
    Header,
    Rules,
    header_of,
    require_unexpired,
    shared_key,
    verify,
)
from app.domain.users import Identity, InvalidToken
from app.infra.supabase.jwks import JwksCache

_log = structlog.get_logger(__name__)

#: Tokens that were verified lately, of up to 16 KiB each. To verify one costs as much as all the
#: rest of a small request.
_KEPT = 1000


class SupabaseTokens:
    """Checks access tokens here; the network is used for keys only, and seldom."""

    def __init__(self, jwks: JwksCache, rules: Rules, *, shared_secret: str = "") -> None:
        self._jwks = jwks
        self._rules = rules
        self._shared = shared_key(shared_secret) if shared_secret else None
        # By the key too: a token is refused as soon as its key is withdrawn.
        self._verify = lru_cache(_KEPT)(verify)
        self._header_of = lru_cache(_KEPT)(header_of)

    async def verify(self, token: str) -> Identity:
        try:
            key = await self._key(self._header_of(token))
            identity = self._verify(token, key, self._rules)
            require_unexpired(identity)
        except InvalidToken as error:
            _log.debug("access token refused", reason=repr(error.__cause__ or error))
            raise
        return identity

    async def _key(self, header: Header) -> PyJWK:
        key: PyJWK | None = None
        if header.algorithm == SHARED:
            key = self._shared
        elif header.algorithm in ASYMMETRIC and header.kid is not None:
            key = await self._jwks.key(header.kid)
        if key is None:
            raise InvalidToken("The access token is signed by a key that this service lacks.")
        return key
