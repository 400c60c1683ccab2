"""A directory that other processes of this machine leave alone."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """
    For what starts PostgreSQL, instead of `tmp_path`.

    When we are root the server runs as another user, which must pass through every directory
    above its own; and whenever a pytest starts, it closes the directory above all `tmp_path`s.
    """
    with tempfile.TemporaryDirectory(prefix="renum-") as name:
        yield Path(name)
