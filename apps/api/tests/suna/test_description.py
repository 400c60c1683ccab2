"""What a server says of itself in its OpenAPI document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.infra.suna.description import post_operations

FORM = {"$ref": "#/components/schemas/Body_start"}
DOCUMENT = {
    "paths": {
        "/v1/agent/start": {
            "post": {
                "requestBody": {"content": {"multipart/form-data": {"schema": FORM}}},
                "parameters": [{"name": "X-API-Key", "in": "header"}],
            }
        },
        "/v1/agents/{agent_id}/execute": {
            "post": {"parameters": [{"$ref": "#/components/parameters/key"}]}
        },
        "/v1/agents": {"get": {}},
    },
    "components": {
        "schemas": {"Body_start": {"properties": {"prompt": {}, "optimistic": {}}}},
        "parameters": {"key": {"name": "Idempotency-Key", "in": "header"}},
    },
}


def test_paths_that_can_be_posted_to_name_what_they_take() -> None:
    assert post_operations(DOCUMENT) == {
        "/v1/agent/start": {"X-API-Key", "prompt", "optimistic"},
        "/v1/agents/{}/execute": {"Idempotency-Key"},
    }


@pytest.mark.parametrize("document", [None, [], "x", {}, {"paths": []}, {"paths": {"/a": 1}}])
def test_what_is_no_document_says_nothing(document: object) -> None:
    assert post_operations(document) == {}


@given(
    st.recursive(
        st.none() | st.text() | st.just("#/paths"),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "paths",
                        "/a",
                        "post",
                        "parameters",
                        "requestBody",
                        "content",
                        "schema",
                        "$ref",
                    ]
                ),
                inner,
            )
        ),
    )
)
def test_nothing_breaks_the_reader(document: object) -> None:
    post_operations(document)
