"""
Keeps out of a server's memory what libraries would import for uses that it has not.

Imported before those libraries; `app.server` does. A module that is None in `sys.modules` counts
as not installed, and they can all do without.
"""

import sys
from typing import cast

_modules = cast("dict[str, object]", sys.modules)

# FastAPI would ask of every model whether it is one of Pydantic 1: 3 MB. For good, as it asks
# again with every route.
_modules.setdefault("pydantic.v1", None)

# structlog would draw tracebacks with it, with local variables in them, where secrets are: 4 MB.
# Only until structlog is there: the command `renum` draws with it too.
if "rich" not in sys.modules:
    _modules["rich"] = None
    import structlog  # noqa: F401

    del _modules["rich"]
