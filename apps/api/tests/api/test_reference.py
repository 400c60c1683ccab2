"""`/docs`: a page that asks nobody but this server."""

import re

import httpx2


async def test_everything_the_page_loads_is_ours(api: httpx2.AsyncClient) -> None:
    page = await api.get("/docs")
    assert page.status_code == 200
    assert "<title>Renum API</title>" in page.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"docs/start.js", "docs/assets/swagger-ui-bundle.js", "openapi.json"} <= set(loaded)
    for address in loaded:
        assert not address.startswith(("http", "//"))
        if not address.startswith("data:"):
            answer = await api.get(f"/{address}")
            assert answer.status_code == 200
            assert answer.content


async def test_the_page_runs_no_script_but_ours(api: httpx2.AsyncClient) -> None:
    page = await api.get("/docs")
    assert re.findall(r"<script(?! src=)", page.text) == []
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"


async def test_nothing_else_is_served_from_there(api: httpx2.AsyncClient) -> None:
    for path in ("/docs/assets/../core.py", "/docs/assets/%2e%2e/core.py", "/docs/assets/"):
        answer = await api.get(path)
        assert answer.status_code == 404
        assert answer.json()["code"] == "route_not_found"


async def test_its_files_say_how_they_can_be_read(api: httpx2.AsyncClient) -> None:
    answer = await api.post("/docs/assets/swagger-ui.css")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["detail"] == "/docs/assets/swagger-ui.css takes GET, HEAD only."
