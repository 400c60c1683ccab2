"""The gateway in front of Supabase Auth: no request passes without a project key."""

from typing import Annotated

from fastapi import Header

from renum_sandbox.auth.errors import GatewayError
from renum_sandbox.constants import PUBLISHABLE_KEY, SECRET_KEY


async def require_api_key(apikey: Annotated[str | None, Header()] = None) -> None:
    """Raises GatewayError without the publishable or the secret key in `apikey`."""
    if not apikey:
        raise GatewayError(
            "No API key found in request", "No `apikey` request header or url param was found."
        )
    if apikey not in (PUBLISHABLE_KEY, SECRET_KEY):
        raise GatewayError(
            "Invalid API key", "Double check your Supabase `anon` or `service_role` API key."
        )
