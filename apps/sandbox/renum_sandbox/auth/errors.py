"""Supabase Auth's error answers, in the two shapes that its version header chooses between."""

from fastapi import Request
from fastapi.responses import JSONResponse

API_VERSION_HEADER = "X-Supabase-Api-Version"
_NEW_SHAPE_SINCE = "2024-01-01"


class AuthError(Exception):
    """A refusal of Supabase Auth; `code` is what its clients branch on."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        super().__init__(f"{status} {code}: {message}")


class GatewayError(Exception):
    """A refusal of the gateway in front of Supabase Auth: another shape, always 401."""

    def __init__(self, message: str, hint: str) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)


async def auth_error_answer(request: Request, error: Exception) -> JSONResponse:
    """An AuthError as today's default body, or as the newer one when the request asks for it."""
    assert isinstance(error, AuthError)  # noqa: S101  the handler is registered for it alone
    headers = {"x-sb-error-code": error.code}
    # Versions are dates, so they compare as text.
    version = request.headers.get(API_VERSION_HEADER, "")
    if version >= _NEW_SHAPE_SINCE:
        headers[API_VERSION_HEADER] = _NEW_SHAPE_SINCE
        return JSONResponse(
            {"code": error.code, "message": error.message}, error.status, headers=headers
        )
    body = {"code": error.status, "error_code": error.code, "msg": error.message}
    return JSONResponse(body, error.status, headers=headers)


async def gateway_error_answer(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GatewayError)  # noqa: S101  the handler is registered for it alone
    return JSONResponse({"message": error.message, "hint": error.hint}, 401)
