"""The short form of `make fuzz`: a real server keeps to its OpenAPI document, whatever is asked."""

import pytest

from tests.benches import assert_passes


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_answer_is_one_that_the_document_knows() -> None:
    assert_passes("fuzz", "--quick", "--cases", "8", "--at-least", "300")
