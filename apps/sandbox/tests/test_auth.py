"""Supabase Auth: sessions, rotation, errors, keys."""

import threading

import jwt
import pytest

from renum_sandbox import constants

KEY = {"apikey": constants.PUBLISHABLE_KEY}
NEW_SHAPE = {"X-Supabase-Api-Version": "2024-01-01"}


class TestLogin:
    @pytest.mark.parametrize(
        ("email", "user_id", "name"),
        [
            (constants.ANA_EMAIL, constants.ANA_ID, "Ana Souza"),
            (" BRUNO@renum.example", constants.BRUNO_ID, "Bruno Lima"),
        ],
    )
    def test_a_session(self, auth, clock, email, user_id, name) -> None:
        session = auth.login(email)
        assert session["token_type"] == "bearer"
        assert session["expires_in"] == 3600
        assert session["expires_at"] == int(clock()) + 3600
        assert 12 <= len(session["refresh_token"]) <= 512
        user = session["user"]
        assert (user["id"], user["user_metadata"]["full_name"]) == (user_id, name)
        assert user["last_sign_in_at"].endswith("Z")
        assert None not in user.values()

    def test_the_token_verifies_with_the_published_key(self, auth, clocked_sandbox) -> None:
        token = auth.login()["access_token"]
        answer = auth.http.get("/auth/v1/.well-known/jwks.json")
        assert answer.headers["cache-control"] == "public, max-age=600"
        (key,) = answer.json()["keys"]
        header = jwt.get_unverified_header(token)
        assert (header["alg"], header["kid"]) == ("ES256", key["kid"])
        claims = jwt.decode(
            token,
            jwt.PyJWK(key),
            ["ES256"],
            audience="authenticated",
            issuer=f"{clocked_sandbox.url}/auth/v1",
            options={"verify_exp": False, "verify_iat": False},
        )
        assert claims["sub"] == constants.ANA_ID
        assert claims["role"] == "authenticated"
        assert claims["aal"] == "aal1"
        assert claims["amr"][0]["method"] == "password"
        assert claims["exp"] - claims["iat"] == 3600
        assert {"session_id", "email", "phone", "app_metadata", "is_anonymous"} <= set(claims)

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"email": constants.ANA_EMAIL, "password": "no"}, "invalid_credentials"),
            ({"email": "nobody@renum.example", "password": "no"}, "invalid_credentials"),
            (
                {"email": "nobody@renum.example", "password": constants.DEMO_PASSWORD},
                "invalid_credentials",
            ),
            (
                {"email": constants.UNCONFIRMED_EMAIL, "password": constants.DEMO_PASSWORD},
                "email_not_confirmed",
            ),
            ({"email": constants.UNCONFIRMED_EMAIL, "password": "no"}, "invalid_credentials"),
            (
                {"email": constants.BANNED_EMAIL, "password": constants.DEMO_PASSWORD},
                "user_banned",
            ),
            ({"password": "no"}, "validation_failed"),
            ({"email": 1, "password": 2}, "validation_failed"),
            ([1], "bad_json"),
        ],
    )
    def test_refusals(self, auth, body, expected) -> None:
        assert auth.code(auth.grant("password", body)) == (400, expected)

    def test_the_newer_shape_of_an_error(self, auth) -> None:
        body = {"email": constants.ANA_EMAIL, "password": "no"}
        answer = auth.grant("password", body, **NEW_SHAPE)
        assert answer.status_code == 400
        assert answer.headers["x-supabase-api-version"] == "2024-01-01"
        assert answer.json() == {
            "code": "invalid_credentials",
            "message": "Invalid login credentials",
        }

    def test_broken_json_and_unknown_grants(self, auth) -> None:
        answer = auth.http.post(
            "/auth/v1/token", params={"grant_type": "password"}, content=b"{", headers=KEY
        )
        assert auth.code(answer) == (400, "bad_json")
        assert auth.code(auth.grant("magic", {})) == (400, "invalid_credentials")


class TestRefresh:
    def test_each_use_rotates(self, auth) -> None:
        first = auth.login()
        second = auth.refresh(first["refresh_token"]).json()
        third = auth.refresh(second["refresh_token"]).json()
        tokens = {s["refresh_token"] for s in (first, second, third)}
        assert len(tokens) == 3
        assert auth.user(third["access_token"]).status_code == 200

    def test_the_parent_of_the_active_token_gets_it_again_at_any_time(self, auth, clock) -> None:
        first = auth.login()
        second = auth.refresh(first["refresh_token"]).json()
        clock.forward(3000)
        again = auth.refresh(first["refresh_token"])
        assert again.json()["refresh_token"] == second["refresh_token"]
        assert again.headers["sb-auth-refresh-token-reuse-cause"] == "fail-to-save"

    def test_a_grandparent_is_accepted_for_ten_seconds(self, auth, clock) -> None:
        first = auth.login()
        second = auth.refresh(first["refresh_token"]).json()
        third = auth.refresh(second["refresh_token"]).json()
        clock.forward(9)
        again = auth.refresh(first["refresh_token"])
        assert again.json()["refresh_token"] == third["refresh_token"]
        assert again.headers["sb-auth-refresh-token-reuse-cause"] == "concurrent-refresh"
        # The repeat counts as a refresh as well.
        clock.forward(9)
        parent = auth.refresh(second["refresh_token"])
        causes = parent.headers["sb-auth-refresh-token-reuse-cause"]
        assert causes == "concurrent-refresh,fail-to-save"

    def test_the_window_is_shut_after_ten_seconds_sharp(self, auth, clock) -> None:
        first = auth.login()
        second = auth.refresh(first["refresh_token"]).json()
        auth.refresh(second["refresh_token"])
        clock.forward(10)
        reused = auth.refresh(first["refresh_token"])
        assert auth.code(reused) == (400, "refresh_token_already_used")

    def test_a_real_reuse_ends_the_session(self, auth, clock) -> None:
        first = auth.login()
        second = auth.refresh(first["refresh_token"]).json()
        third = auth.refresh(second["refresh_token"]).json()
        clock.forward(10.1)
        reused = auth.refresh(first["refresh_token"])
        assert auth.code(reused) == (400, "refresh_token_already_used")
        assert auth.code(auth.refresh(third["refresh_token"])) == (400, "refresh_token_not_found")
        assert auth.code(auth.user(third["access_token"])) == (403, "session_not_found")

    def test_two_at_once_share_one_rotation(self, auth) -> None:
        token = auth.login()["refresh_token"]
        answers: list[str] = []
        threads = [
            threading.Thread(
                target=lambda: answers.append(auth.refresh(token).json()["refresh_token"])
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 4
        assert len(set(answers)) == 1

    @pytest.mark.parametrize(
        ("token", "expected"),
        [
            ("unknown-token", "refresh_token_not_found"),
            ("short", "validation_failed"),
            ("x" * 513, "validation_failed"),
            (12, "validation_failed"),
        ],
    )
    def test_refusals(self, auth, token, expected) -> None:
        assert auth.code(auth.refresh(token)) == (400, expected)

    def test_an_empty_token_has_a_shape_of_its_own(self, auth) -> None:
        answer = auth.refresh("")
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_request"


class TestAccessToken:
    def test_it_expires(self, auth, clock, clocked_sandbox) -> None:
        token = auth.login()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert auth.user(token).json()["email"] == constants.ANA_EMAIL
        assert auth.http.get("/v1/agents", headers=bearer).status_code == 200
        clock.forward(3601)
        assert auth.code(auth.user(token)) == (403, "bad_jwt")
        answer = auth.http.get("/v1/agents", headers=bearer)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Token has expired"})

    def test_refusals(self, auth) -> None:
        headers = KEY | {"Authorization": "Basic x"}
        answer = auth.http.get("/auth/v1/user", headers=headers)
        assert auth.code(answer) == (401, "no_authorization")
        assert auth.code(auth.user("a.b.c")) == (403, "bad_jwt")
        forged = jwt.encode({"sub": constants.ANA_ID}, "x" * 32, "HS256")
        assert auth.code(auth.user(forged)) == (403, "bad_jwt")


class TestLogout:
    def sessions(self, auth) -> tuple[str, str]:
        return auth.login()["access_token"], auth.login()["access_token"]

    @pytest.mark.parametrize(
        ("query", "this", "other"),
        [
            ({}, 403, 403),
            ({"scope": "global"}, 403, 403),
            ({"scope": "local"}, 403, 200),
            ({"scope": "others"}, 200, 403),
        ],
    )
    def test_scopes(self, auth, query, this, other) -> None:
        mine, elsewhere = self.sessions(auth)
        bruno = auth.login(constants.BRUNO_EMAIL)["access_token"]
        answer = auth.logout(mine, **query)
        assert (answer.status_code, answer.content) == (204, b"")
        statuses = [auth.user(token).status_code for token in (mine, elsewhere, bruno)]
        assert statuses == [this, other, 200]

    def test_an_unknown_scope_ends_nothing(self, auth) -> None:
        mine, _ = self.sessions(auth)
        assert auth.code(auth.logout(mine, scope="all")) == (400, "validation_failed")
        assert auth.user(mine).status_code == 200


class TestGateway:
    @pytest.mark.parametrize(
        ("headers", "message"),
        [({}, "No API key found in request"), ({"apikey": "sb_publishable_x"}, "Invalid API key")],
    )
    def test_no_request_without_a_project_key(self, auth, headers, message) -> None:
        for method, path in (
            ("POST", "/token?grant_type=password"),
            ("GET", "/user"),
            ("POST", "/logout"),
            ("GET", "/health"),
        ):
            answer = auth.http.request(method, f"/auth/v1{path}", headers=headers)
            assert answer.status_code == 401
            assert answer.json()["message"] == message
            assert answer.json()["hint"]

    def test_health_by_either_key(self, auth) -> None:
        for key in (constants.PUBLISHABLE_KEY, constants.SECRET_KEY):
            answer = auth.http.get("/auth/v1/health", headers={"apikey": key})
            assert answer.json()["name"] == "GoTrue"
