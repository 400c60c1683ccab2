"""Which key verifies which token."""

import aiohttp
import pytest

from app.core.security import Rules
from app.domain.users import AuthUnavailable, InvalidToken
from app.infra.supabase.jwks import JwksCache
from app.infra.supabase.tokens import SupabaseTokens
from tests import tokens
from tests.supabase.server import Scripted

ES256 = tokens.ecdsa()
RS256 = tokens.rsa_key()
RULES = Rules(tokens.ISSUER, "authenticated")


def verifier(http: aiohttp.ClientSession, server: Scripted, secret: str = "") -> SupabaseTokens:
    return SupabaseTokens(JwksCache(http, f"{server.url}/jwks"), RULES, shared_secret=secret)


@pytest.fixture
async def modern(http: aiohttp.ClientSession, server: Scripted) -> SupabaseTokens:
    """A project that publishes its keys."""
    server.will_answer(200, {"keys": [ES256.jwk, RS256.jwk]})
    return verifier(http, server)


async def test_published_keys(modern: SupabaseTokens) -> None:
    for signer in (ES256, RS256):
        assert str((await modern.verify(signer.sign())).user.id) == tokens.USER_ID


@pytest.mark.parametrize(
    "token",
    [
        tokens.ecdsa().sign(),
        tokens.Signer("ES256", tokens.ecdsa().private, kid=ES256.kid).sign(),
        tokens.shared(),
        tokens.signed(tokens.claims(), ES256.private, "ES256", kid=None),
        "nonsense",
    ],
    ids=["unknown key", "stolen kid", "no shared secret here", "no kid", "no token"],
)
async def test_strangers_are_refused(modern: SupabaseTokens, token: str) -> None:
    with pytest.raises(InvalidToken):
        await modern.verify(token)


async def test_the_shared_secret_needs_no_network(
    http: aiohttp.ClientSession, server: Scripted
) -> None:
    legacy = verifier(http, server, tokens.SECRET)
    assert str((await legacy.verify(tokens.shared())).user.id) == tokens.USER_ID
    with pytest.raises(InvalidToken):
        await legacy.verify(tokens.shared("another secret of at least 32 bytes"))
    assert server.asked == []


async def test_a_project_in_between_uses_both(
    http: aiohttp.ClientSession, server: Scripted
) -> None:
    server.will_answer(200, {"keys": [ES256.jwk]})
    both = verifier(http, server, tokens.SECRET)
    await both.verify(tokens.shared())
    await both.verify(ES256.sign())


async def test_without_keys_nobody_is_called_a_stranger(
    http: aiohttp.ClientSession, server: Scripted
) -> None:
    server.will_say(503, "down")
    with pytest.raises(AuthUnavailable):
        await verifier(http, server).verify(ES256.sign())
