"""What may stand in a path that Suna is asked with."""

import pytest

from app.infra.suna.starting import id_in


@pytest.mark.parametrize("value", ["0f8b673c-18f0-4c1d-9c5e-6f2b0a5a2f11", "run_7", "exec:2.1"])
def test_ids_are_taken_as_they_are(value: str) -> None:
    assert id_in(value) == value


@pytest.mark.parametrize(
    "value", ["", "..", "../agents", "a/b", "a?b", "a#b", "a b", "x" * 201, None, 7]
)
def test_what_would_lead_elsewhere_is_no_id(value: object) -> None:
    with pytest.raises(TypeError):
        id_in(value)
