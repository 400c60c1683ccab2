"""The committed OpenAPI document is the one that the code serves."""

import json
from pathlib import Path

from app.core.settings import Settings
from app.main import create_app

COMMITTED = Path(__file__).parents[4] / "docs" / "openapi.json"


def test_the_committed_document_is_true() -> None:
    """When this fails: make openapi, and look at the difference as a client would."""
    served = create_app(Settings.model_construct(), worker=False).openapi()
    assert json.loads(COMMITTED.read_text()) == json.loads(json.dumps(served))
