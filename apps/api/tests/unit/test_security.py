"""Whose token it is: every way in which it may not hold."""

import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from uuid import UUID

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.security import Rules, header_of, parse_key_set, shared_key, verify
from app.domain.users import InvalidToken, User
from tests import tokens

RULES = Rules(tokens.ISSUER, "authenticated")
ES256 = tokens.ecdsa()
RS256 = tokens.rsa_key()
KEYS = parse_key_set({"keys": [ES256.jwk, RS256.jwk]})
SHARED = shared_key(tokens.SECRET)


@pytest.mark.parametrize("signer", [ES256, RS256], ids=lambda s: s.algorithm)
def test_a_published_key_tells_who_it_is(signer: tokens.Signer) -> None:
    expires_at = int(time.time()) + 60
    token = signer.sign(exp=expires_at)
    identity = verify(token, KEYS[signer.kid], RULES)
    assert identity.user == User(
        id=UUID(tokens.USER_ID), email="ana@renum.example", name="Ana Souza"
    )
    assert identity.session_id == UUID(tokens.SESSION_ID)
    assert identity.expires_at == datetime.fromtimestamp(expires_at, UTC)
    assert identity.token == token


def test_the_shared_secret_works_too() -> None:
    assert verify(tokens.shared(), SHARED, RULES).user.name == "Ana Souza"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["other", "authenticated"]},
        {"email": None, "user_metadata": "nonsense", "session_id": "nonsense"},
        {"is_anonymous": True, "email": ""},
    ],
)
def test_what_supabase_may_say_is_accepted(changes: dict[str, object]) -> None:
    verify(ES256.sign(**changes), KEYS[ES256.kid], RULES)


def test_clocks_may_differ_by_seconds() -> None:
    verify(ES256.sign(exp=int(time.time()) - 3), KEYS[ES256.kid], RULES)
    with pytest.raises(InvalidToken, match="expired"):
        verify(ES256.sign(exp=int(time.time()) - 11), KEYS[ES256.kid], RULES)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": None},
        {"exp": None},
        {"iss": None},
        {"aud": None},
        {"role": None},
        {"sub": "not a uuid"},
        {"sub": 7},
        {"exp": int(time.time()) - 3600},
        {"exp": "soon"},
        {"exp": 10**30},
        {"exp": []},
        {"nbf": int(time.time()) + 3600},
        {"iss": "https://other.supabase.example/auth/v1"},
        {"aud": "other"},
        {"role": "anon"},
        {"role": "service_role"},
        {"role": ["authenticated"]},
    ],
)
def test_a_claim_that_is_missing_or_wrong_refuses(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidToken):
        verify(ES256.sign(**changes), KEYS[ES256.kid], RULES)


def test_the_public_anon_key_is_no_token() -> None:
    """It is an HS256 JWT under the same secret, and everybody has it."""
    payload = {"iss": "supabase", "ref": "abc", "role": "anon", "iat": 1, "exp": 4102444800}
    with pytest.raises(InvalidToken):
        verify(jwt.encode(payload, tokens.SECRET, "HS256"), SHARED, RULES)


def test_another_key_does_not_verify() -> None:
    with pytest.raises(InvalidToken):
        verify(tokens.ecdsa().sign(), KEYS[ES256.kid], RULES)
    with pytest.raises(InvalidToken):
        verify(tokens.shared("another secret of at least 32 bytes"), SHARED, RULES)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256", "ES384"])
def test_the_token_does_not_choose_the_algorithm(algorithm: str) -> None:
    """`none`, and a public key taken for an HMAC secret, are the classics."""
    head, body, signature = ES256.sign().split(".")
    forged = _encoded({"alg": algorithm, "kid": ES256.kid, "typ": "JWT"})
    for token in (f"{forged}.{body}.{signature}", f"{forged}.{body}.", f"{head}.{body}."):
        with pytest.raises(InvalidToken):
            verify(token, KEYS[ES256.kid], RULES)


def test_a_header_names_its_key() -> None:
    header = header_of(ES256.sign())
    assert (header.kid, header.algorithm) == (ES256.kid, "ES256")
    assert header_of(jwt.encode({}, tokens.SECRET, "HS256")).kid is None


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "x" * 20_000, "\ud800.a.b"])
def test_what_is_no_jwt_has_no_header(token: str) -> None:
    with pytest.raises(InvalidToken):
        header_of(token)


@given(st.text())
def test_any_text_is_a_refused_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        header_of(text)
    with pytest.raises(InvalidToken):
        verify(text, SHARED, RULES)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(["sub", "exp", "iss", "aud", "role", "nbf", "iat", "email", "session_id"])


@given(st.dictionaries(NAMES | st.just("user_metadata"), json_values))
def test_any_signed_claims_are_accepted_or_refused(changes: dict[str, object]) -> None:
    try:
        identity = verify(tokens.shared(**changes), SHARED, RULES)
    except InvalidToken:
        return
    assert isinstance(identity.user.name, str)


@pytest.mark.parametrize(
    "entry",
    [
        ES256.jwk | {"use": "enc"},
        ES256.jwk | {"alg": "HS256"},
        ES256.jwk | {"x": "!"},
        ES256.jwk | {"kid": 7},
        {name: value for name, value in ES256.jwk.items() if name != "kid"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "a"},
        {"kty": "EC", "crv": "P-384", "kid": "a"},
        {"kid": "a"},
        "nonsense",
        None,
    ],
)
def test_keys_that_cannot_sign_our_tokens_are_left_out(entry: object) -> None:
    assert parse_key_set({"keys": [entry, RS256.jwk]}).keys() == {RS256.kid}


def test_a_project_with_a_shared_secret_publishes_no_key() -> None:
    assert parse_key_set({"keys": []}) == {}


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}])
def test_what_is_no_key_set_is_said_to_be_none(document: object) -> None:
    with pytest.raises(ValueError, match="not a JWKS"):
        parse_key_set(document)


@given(st.fixed_dictionaries({"keys": st.lists(json_values)}))
def test_any_entry_is_survived(document: object) -> None:
    parse_key_set(document)


FIELDS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "k", "kid", "alg", "use", "d"])
VALUES = st.sampled_from(["EC", "RSA", "oct", "OKP", "P-256", "ES256", "RS256", "AQAB", "sig"])


@given(st.lists(st.dictionaries(FIELDS, VALUES | json_values)))
def test_any_half_right_key_is_survived(keys: list[object]) -> None:
    parse_key_set({"keys": keys})


def _encoded(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
