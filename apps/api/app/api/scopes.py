"""What an API key must be allowed for each operation."""

from starlette.requests import HTTPConnection

from app.domain.api_keys import InsufficientScope, Scope
from app.domain.users import Identity

_EXECUTE = frozenset(
    {"execute_team", "retry_execution", "cancel_execution", "plan_team", "validate_team"}
)
#: For people who have signed in: a key must not make keys, nor end sessions.
_OF_PEOPLE = frozenset({"create_api_key", "list_api_keys", "delete_api_key", "logout"})


def check_scope(connection: HTTPConnection, identity: Identity) -> None:
    """Raises InsufficientScope."""
    if identity.scopes is None:
        return
    route = connection.scope.get("route")
    name = getattr(route, "name", "")
    if name in _OF_PEOPLE:
        raise InsufficientScope("No API key may do this; sign in.")
    needed = _needed(connection.scope.get("method", "GET"), name)
    if needed not in identity.scopes:
        raise InsufficientScope(f"The API key lacks the scope {needed.value}.")


def _needed(method: str, name: str) -> Scope:
    if method in ("GET", "HEAD"):
        return Scope.READ
    return Scope.EXECUTE if name in _EXECUTE else Scope.MANAGE
