"""`/auth/v1`: the endpoints of Supabase Auth that Renum uses."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from renum_sandbox import __version__
from renum_sandbox.auth import passwords, sessions, tokens, users
from renum_sandbox.auth.errors import AuthError
from renum_sandbox.auth.gateway import require_api_key
from renum_sandbox.auth.refusals import AuthRoute
from renum_sandbox.auth.sessions import Session
from renum_sandbox.auth.users import User
from renum_sandbox.context import CurrentSandbox, Sandbox
from renum_sandbox.faults import Fault, Operation
from renum_sandbox.faulty_route import FAULT_KEY

router = APIRouter(prefix="/auth/v1", tags=["supabase auth"], route_class=AuthRoute)
guarded = APIRouter(dependencies=[Depends(require_api_key)], route_class=AuthRoute)

_MIN_REFRESH_TOKEN, _MAX_REFRESH_TOKEN = 12, 512


async def _signed_in(
    sandbox: CurrentSandbox, authorization: Annotated[str, Header()] = ""
) -> tuple[User, Session | None]:
    """The user of a Bearer access token, as GoTrue checks it, and its session if it names one."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")
    try:
        claims = sandbox.verify(token)
    except tokens.BadToken as error:
        message = f"invalid JWT: unable to parse or verify signature, {error}"
        raise AuthError(403, "bad_jwt", message) from error
    user = users.by_id(sandbox.state, claims.user_id)
    if user is None:
        raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
    if user.banned:
        raise AuthError(403, "user_banned", "User is banned")
    if claims.session_id is None:
        return user, None
    session = sessions.find(sandbox.state, claims.session_id)
    if session is None:
        raise AuthError(
            403, "session_not_found", "Session from session_id claim in JWT does not exist"
        )
    return user, session


SignedIn = Annotated[tuple[User, Session | None], Depends(_signed_in)]


@guarded.post("/token", tags=[Operation.AUTH_TOKEN])
async def token(
    request: Request, sandbox: CurrentSandbox, grant_type: Annotated[str, Query()] = ""
) -> Response:
    """Log in with a password, or use a refresh token."""
    if grant_type == "password":
        return await _password_grant(request, sandbox)
    if grant_type == "refresh_token":
        return await _refresh_grant(request, sandbox)
    raise AuthError(400, "invalid_credentials", "unsupported_grant_type")


async def _password_grant(request: Request, sandbox: Sandbox) -> Response:
    body = await _json_object(request)
    email, password = body.get("email"), body.get("password")
    if not isinstance(email, str) or not isinstance(password, str) or not email:
        raise AuthError(400, "validation_failed", "missing email or phone")
    user = users.by_email(sandbox.state, email)
    # Also without a user: an answer that comes sooner would tell that there is none.
    correct = await passwords.matches(password, user.password_hash if user else None)
    if user is None or not correct:
        raise AuthError(400, "invalid_credentials", "Invalid login credentials")
    _refuse_banned(user)
    if not user.confirmed:
        raise AuthError(400, "email_not_confirmed", "Email not confirmed")
    now = sandbox.now()
    session, refresh_token = sessions.sign_in(sandbox.state, user.id, now=now)
    users.signed_in(sandbox.state, user.id, now)
    return _session_answer(request, sandbox, session, refresh_token)


async def _refresh_grant(request: Request, sandbox: Sandbox) -> Response:
    given = (await _json_object(request)).get("refresh_token")
    if not given:
        return JSONResponse(
            {"error": "invalid_request", "error_description": "refresh_token required"}, 400
        )
    if not isinstance(given, str) or not _MIN_REFRESH_TOKEN <= len(given) <= _MAX_REFRESH_TOKEN:
        raise AuthError(400, "validation_failed", "Refresh token is not valid")
    refreshed = sessions.refresh(sandbox.state, given, now=sandbox.now())
    answer = _session_answer(request, sandbox, refreshed.session, refreshed.refresh_token)
    if refreshed.reuse:
        answer.headers["sb-auth-refresh-token-reuse-cause"] = refreshed.reuse
    return answer


def _session_answer(
    request: Request, sandbox: Sandbox, session: Session, refresh_token: str
) -> Response:
    user = users.by_id(sandbox.state, session.user_id)
    assert user is not None  # noqa: S101  sessions go with their user, by foreign key
    _refuse_banned(user)
    base_url = sandbox.options.base_url or str(request.base_url).rstrip("/")
    access_token, expires_at = tokens.mint(
        sandbox.signing_key,
        user,
        session,
        issuer=f"{base_url}/auth/v1",
        now=sandbox.now(),
        lifetime_s=sandbox.options.access_token_s,
    )
    body: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "bearer",
        "expires_in": sandbox.options.access_token_s,
        "expires_at": expires_at,
        "refresh_token": refresh_token,
        "user": user.as_json(),
    }
    if request.scope.get(FAULT_KEY) is Fault.WEAK_PASSWORD:
        body["weak_password"] = {
            "message": "Password should be at least 12 characters.",
            "reasons": ["length"],
        }
    headers = {"sb-auth-user-id": user.id, "sb-auth-session-id": session.id}
    return JSONResponse(body, headers=headers)


@guarded.get("/user", tags=[Operation.AUTH_USER])
async def user(signed_in: SignedIn) -> dict[str, Any]:
    """The user of the access token, as long as its session lives."""
    return signed_in[0].as_json()


@guarded.post("/logout", status_code=204, tags=[Operation.AUTH_LOGOUT])
async def logout(
    sandbox: CurrentSandbox, signed_in: SignedIn, scope: Annotated[str, Query()] = "global"
) -> None:
    """End sessions; by default, or for a token of no session, all of the user's."""
    user, session = signed_in
    sessions.sign_out(sandbox.state, user.id, session, scope)


@guarded.get("/health", tags=[Operation.AUTH_HEALTH])
async def health() -> dict[str, str]:
    """The process answers; like the real one it looks at nothing else."""
    return {
        "version": f"renum-sandbox {__version__}",
        "name": "GoTrue",
        "description": "GoTrue is a user registration and authentication API",
    }


@router.get("/.well-known/jwks.json", tags=[Operation.AUTH_JWKS])
async def jwks(sandbox: CurrentSandbox, response: Response) -> dict[str, Any]:
    """The public keys of the access tokens; open to everybody."""
    response.headers["Cache-Control"] = "public, max-age=600"
    return sandbox.signing_key.jwks()


def _refuse_banned(user: User) -> None:
    if user.banned:
        raise AuthError(400, "user_banned", "User is banned")


async def _json_object(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise AuthError(400, "bad_json", "Could not parse request body as JSON") from error
    if not isinstance(body, dict):
        raise AuthError(400, "bad_json", "Could not parse request body as JSON")
    return body


router.include_router(guarded)
