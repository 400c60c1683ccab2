"""Health, credentials, and the list of agents, in every dialect."""

import httpx2
import pytest

from renum_sandbox import constants
from renum_sandbox.agents.catalogue import SYSTEM_PROMPT_MARK


def test_openapi_tells_the_dialects_apart(http: httpx2.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    assert "/api/agent/initiate" in paths
    assert "/v1/agent/start" in paths
    assert "/api/agent/start" not in paths
    assert "/v1/agent/initiate" not in paths
    assert not [path for path in paths if path.startswith(("/a2", "/gateway"))]


def fields_of_the_form(document: dict, path: str) -> set[str]:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    (form,) = content.values()
    name = form["schema"]["$ref"].rpartition("/")[2]
    return set(document["components"]["schemas"][name]["properties"])


def test_openapi_tells_the_two_unified_starts_apart(http: httpx2.Client) -> None:
    a2 = http.get("/a2/openapi.json").json()
    assert all(path.startswith("/a2/api/") for path in a2["paths"])
    assert "optimistic" not in fields_of_the_form(a2, "/a2/api/agent/start")
    b = http.get("/openapi.json").json()
    assert "optimistic" in fields_of_the_form(b, "/v1/agent/start")


def test_openapi_of_the_gateway_declares_its_key(http: httpx2.Client) -> None:
    paths = http.get("/gateway/openapi.json").json()["paths"]
    assert set(paths) == {
        f"/gateway/api{path}"
        for path in (
            "/health",
            "/agents",
            "/agents/{agent_id}",
            "/agents/{agent_id}/execute",
            "/executions/{execution_id}",
            "/executions/{execution_id}/cancel",
        )
    }
    execute = paths["/gateway/api/agents/{agent_id}/execute"]["post"]
    headers = {p["name"]: p["required"] for p in execute["parameters"] if p["in"] == "header"}
    assert headers["Idempotency-Key"] is False


def test_health_needs_no_credentials(suna, http: httpx2.Client) -> None:
    answer = http.get(suna.base + "/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


@pytest.mark.parametrize(
    ("headers", "era_a_says", "era_b_says"),
    [
        ({}, "No valid authentication credentials found", None),
        ({"X-API-Key": "pk_only"}, "Invalid API key format. Expected format: pk_xxx:sk_xxx", None),
        ({"X-API-Key": "pk_x:sk_x"}, "Invalid API key: API key not found", "Invalid API key"),
        (
            {"X-API-Key": constants.SUNA_API_KEY + "x"},
            "Invalid API key: Invalid secret key",
            "Invalid API key",
        ),
        ({"Authorization": "Bearer x.y.z"}, "Invalid token", "Invalid token signature"),
        (
            {"Authorization": f"Bearer {constants.SUNA_API_KEY}"},
            "Invalid token",
            "Invalid token signature",
        ),
    ],
)
def test_bad_credentials_are_401(suna, http, headers, era_a_says, era_b_says) -> None:
    answer = http.get(suna.base + "/agents", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    expected = (era_b_says if suna.native else None) or era_a_says
    assert answer.json() == {"detail": expected}


def test_agents_come_in_pages(suna) -> None:
    first = suna.get("/agents", limit=4, sort_by="name", sort_order="asc").json()
    second = suna.get("/agents", limit=4, page=2, sort_by="name", sort_order="asc").json()
    assert first["pagination"] == {"page": 1, "limit": 4, "total": 6, "pages": 2}
    assert [a["name"] for a in first["agents"] + second["agents"]] == [
        "Content Strategist",
        "Copywriter",
        "Data Extractor",
        "Editor",
        "Summariser",
        "Translator (PT-BR)",
    ]
    assert suna.get("/agents", page=9).json()["agents"] == []


def test_newest_agents_come_first(suna) -> None:
    assert suna.get("/agents").json()["agents"][0]["agent_id"] == constants.EXTRACT_AGENT_ID


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"search": "WRITE"}, {"Copywriter"}),
        ({"has_default": True}, {"Content Strategist"}),
        ({"has_mcp_tools": True}, {"Data Extractor"}),
        ({"tools": "sb_shell_tool"}, {"Data Extractor"}),
        ({"tools": "web_search_tool, sb_files_tool"}, {"Content Strategist"}),
        ({"has_agentpress_tools": False}, set()),
    ],
)
def test_agents_are_filtered(suna, query, names) -> None:
    assert {a["name"] for a in suna.get("/agents", **query).json()["agents"]} == names


@pytest.mark.parametrize("query", [{"limit": 101}, {"limit": 0}, {"page": 0}])
def test_bad_paging_is_422(suna, query) -> None:
    assert suna.get("/agents", **query).status_code == 422


def test_a_list_of_era_b_has_no_system_prompts(era_a, era_b) -> None:
    prompts = [a["system_prompt"] for a in era_a.get("/agents").json()["agents"]]
    assert all(SYSTEM_PROMPT_MARK in p for p in prompts)
    assert {a["system_prompt"] for a in era_b.get("/agents").json()["agents"]} == {None}
    assert "account_id" not in era_b.get("/agents").json()["agents"][0]


def test_one_agent(suna) -> None:
    agent = suna.get(f"/agents/{constants.REVIEW_AGENT_ID}").json()
    assert agent["name"] == "Editor"
    assert agent["tags"][0] == "writing"
    assert agent["agentpress_tools"]["web_search_tool"]["enabled"] is False
    assert agent["current_version"]["version_id"] == agent["current_version_id"]


def test_agents_that_one_cannot_have(suna) -> None:
    unknown = suna.get("/agents/00000000-0000-4000-8000-000000000000")
    assert (unknown.status_code, unknown.json()) == (
        404,
        {"detail": f"{suna.agent_word} not found"},
    )
    private = suna.get(f"/agents/{constants.PRIVATE_AGENT_ID}")
    assert (private.status_code, private.json()) == (403, {"detail": "Access denied"})
    assert suna.get("/agents/not-a-uuid").status_code == 500
