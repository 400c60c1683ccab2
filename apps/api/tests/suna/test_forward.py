"""Suna asked in each user's name (SUNA_AUTH_MODE=forward)."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx2
import jwt
import pytest
from pydantic import SecretStr

from app.core.security import Rules, minter
from app.domain.agents import SunaTokenExpired
from app.infra.suna.credentials import ApiKey, MintedToken, RequestToken
from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.endpoints.people import DRAFT, OUTLINE, Person, checked, signed_in
from tests.serving import serving, settings_for

SECRET = "the signing secret of a project that keeps it"
FORWARD = {"suna_auth_mode": "forward", "suna_api_key": SecretStr("")}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(jwt_secret=SECRET) as running:
        yield running


def threads_of(sandbox: RunningSandbox, user_id: str) -> int:
    """How many threads a user has in their own account at Suna."""
    claims = {"sub": user_id, "aud": "authenticated", "exp": time.time() + 60}
    token = jwt.encode(claims, SECRET, "HS256")
    answer = httpx2.get(
        f"{sandbox.url}/v1/threads", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    )
    return checked(answer, 200)["pagination"]["total"]


def test_everybody_works_in_their_own_account(
    sandbox: RunningSandbox, new_database: Callable[[], str]
) -> None:
    settings = settings_for(sandbox, new_database(), jwt_secret_key=SecretStr(SECRET), **FORWARD)
    settings.check()
    with serving(settings) as url:
        for email in (constants.ANA_EMAIL, constants.BRUNO_EMAIL):
            with signed_in(url, email) as client:
                person = Person(client)
                assert len(checked(client.get("agents"), 200)["agents"]) == 6
                team = person.team({"agent_id": OUTLINE}, {"agent_id": DRAFT})
                ended = person.wait(person.execute(team)["execution_id"])
                assert ended["status"] == "completed", ended
                running = person.running(team)["execution_id"]
                checked(person.cancel(running), 200)
                person.wait(running, lambda e: e["results"][0]["remote_stop"] == "confirmed")
    assert threads_of(sandbox, constants.ANA_ID) == threads_of(sandbox, constants.BRUNO_ID) == 3
    assert threads_of(sandbox, constants.SUNA_ACCOUNT_ID) == 0


def test_without_the_secret_requests_work_and_runs_say_what_is_missing(
    sandbox: RunningSandbox, new_database: Callable[[], str]
) -> None:
    with (
        serving(settings_for(sandbox, new_database(), **FORWARD)) as url,
        signed_in(url, constants.ANA_EMAIL) as client,
    ):
        ana = Person(client)
        assert len(checked(client.get("agents"), 200)["agents"]) == 6
        ended = ana.wait(ana.execute(ana.team())["execution_id"])
        assert (ended["status"], ended["error_code"]) == ("failed", "suna_token_expired")
        assert "JWT_SECRET_KEY" in ended["error_message"]
        assert ended["results"][0]["remote_stop"] == "not_needed"


def test_a_minted_token_is_short_lived_and_like_the_project_s_own() -> None:
    rules = Rules("https://ref.supabase.co/auth/v1", "authenticated")
    user_id = uuid4()
    token = minter(SECRET, rules)(user_id)
    claims = jwt.decode(token, SECRET, ["HS256"], audience="authenticated", issuer=rules.issuer)
    assert UUID(claims["sub"]) == user_id
    assert claims["role"] == "authenticated"
    left = datetime.fromtimestamp(claims["exp"], UTC) - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)


def test_no_credential_shows_itself_when_it_is_printed() -> None:
    for credential in (ApiKey("pk_a:sk_b"), RequestToken("eyJ.x.y")):
        assert "sk_b" not in repr(credential)
        assert "eyJ" not in repr(credential)
    with pytest.raises(SunaTokenExpired):
        MintedToken(uuid4(), None).headers()
