"""The faults that are a refusal: of Supabase Auth itself, and of the gateway before it."""

from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from renum_sandbox.auth.errors import AuthError, GatewayError
from renum_sandbox.faults import Fault, Operation
from renum_sandbox.faulty_route import FaultyRoute

_GATEWAY_PAGE = (
    "<!DOCTYPE html>\n<html>\n<head><title>502: Bad gateway</title></head>\n"
    "<body><h1>Bad gateway</h1><p>Error code 502</p></body>\n</html>\n"
)
_AT_ONCE = {"Retry-After": "1"}


class AuthRoute(FaultyRoute):
    def refusal(
        self,
        fault: Fault,
        operation: Operation,  # noqa: ARG002
        scope: Scope,
    ) -> Response | None:
        """Refusals of the system itself are raised: the request chooses their shape."""
        match fault:
            case Fault.TOO_MANY:
                raise AuthError(429, "over_request_rate_limit", "Request rate limit reached")
            case Fault.CONFLICT:
                raise AuthError(
                    409,
                    "conflict",
                    "Too many concurrent token refresh requests on the same session or "
                    "refresh token",
                )
            case Fault.SERVER_ERROR:
                raise AuthError(
                    500,
                    "unexpected_failure",
                    "Unexpected failure, please check server logs for more information",
                )
            case Fault.GATEWAY_401:
                raise GatewayError(
                    "Invalid API key",
                    "Double check your Supabase `anon` or `service_role` API key.",
                )
            case Fault.OLD_SHAPE:
                return JSONResponse(_old_shape(scope), 400)
            case Fault.HTML | Fault.BAD_GATEWAY:
                return Response(_GATEWAY_PAGE, 502, media_type="text/html")
            case Fault.SHUTTING_DOWN:
                return _unavailable(503)
            case Fault.RETRY_AFTER:
                return _unavailable(429, _AT_ONCE)
            case Fault.SHUTTING_DOWN_RETRY_AFTER:
                return _unavailable(503, _AT_ONCE)
            case Fault.GARBAGE:
                return Response('{"access_token": "ey', media_type="application/json")
            case _:
                return None


def _old_shape(scope: Scope) -> dict[str, str]:
    """What `/token` of older servers says for the commonest refusal of each grant."""
    grant = QueryParams(scope["query_string"]).get("grant_type")
    refused = "Invalid login credentials"
    if grant == "refresh_token":
        refused = "Invalid Refresh Token: Refresh Token Not Found"
    return {"error": "invalid_grant", "error_description": refused}


def _unavailable(status: int, headers: dict[str, str] | None = None) -> Response:
    """The gateway's own words: Supabase Auth never saw the request."""
    words = {429: "API rate limit exceeded", 503: "name resolution failed"}
    return JSONResponse({"message": words[status]}, status, headers)
