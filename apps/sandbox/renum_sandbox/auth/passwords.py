"""Password checks: argon2id in a thread, and as slow for an unknown user as for a known one."""

import asyncio

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from renum_sandbox.constants import DEMO_PASSWORD_HASH

_HASHER = PasswordHash((Argon2Hasher(),))


async def matches(password: str, stored_hash: str | None) -> bool:
    """Whether `password` has that hash; without a hash the same work is done for a False."""
    verified = await asyncio.to_thread(_HASHER.verify, password, stored_hash or DEMO_PASSWORD_HASH)
    return verified and stored_hash is not None
