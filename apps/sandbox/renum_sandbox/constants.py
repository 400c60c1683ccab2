"""
Everything a client needs to know in advance about the sandbox.

These values are public on purpose. They open a server that binds to loopback only, keeps no
real data and refuses to start in production, so none of them is a secret.
"""

from typing import Final

PUBLISHABLE_KEY: Final = "sb_publishable_renum_sandbox"
SECRET_KEY: Final = "sb_secret_renum_sandbox"  # noqa: S105  public, see above
SUNA_API_KEY: Final = "pk_renumsandbox00000000000000000000:sk_renumsandbox00000000000000000000"
SUNA_ACCOUNT_ID: Final = "5a4dacc0-0000-4000-8000-000000000001"
"""The Suna account behind SUNA_API_KEY."""

DEMO_PASSWORD: Final = "renum-demo"  # noqa: S105  public, see above
# Made once with the parameters of OWASP's minimum (19 MiB, 2 passes), so that a start hashes
# nothing and a login costs about 25 ms.
DEMO_PASSWORD_HASH: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$4CQdhtpCARgdJwCqaMGrMg"  # noqa: S105  public, see above
    "$LOD7aILMIvW4AGx/q28tPFkaoe1LisXVWw/JEmR0APw"
)

ANA_ID: Final = "0a4a0000-0000-4000-8000-000000000001"
ANA_EMAIL: Final = "ana@renum.example"
BRUNO_ID: Final = "0b7d0000-0000-4000-8000-000000000002"
BRUNO_EMAIL: Final = "bruno@renum.example"

# Two users that cannot log in, for tests of exactly that. Same password.
UNCONFIRMED_EMAIL: Final = "carla.unconfirmed@renum.example"
BANNED_EMAIL: Final = "davi.banned@renum.example"

OUTLINE_AGENT_ID: Final = "5a4d0001-0000-4000-8000-000000000001"
DRAFT_AGENT_ID: Final = "5a4d0002-0000-4000-8000-000000000002"
REVIEW_AGENT_ID: Final = "5a4d0003-0000-4000-8000-000000000003"
TRANSLATE_AGENT_ID: Final = "5a4d0004-0000-4000-8000-000000000004"
SUMMARISE_AGENT_ID: Final = "5a4d0005-0000-4000-8000-000000000005"
EXTRACT_AGENT_ID: Final = "5a4d0006-0000-4000-8000-000000000006"

PRIVATE_AGENT_ID: Final = "5a4d00ff-0000-4000-8000-0000000000ff"
"""Exists, belongs to somebody else: never listed, 403 when asked for, 404 when started."""
