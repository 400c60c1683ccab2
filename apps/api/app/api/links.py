"""
Links of OpenAPI: what an answer's ids can be used for.

Each operation whose answer names something links to every operation on that, so that readers and
testing tools find their way.
"""

from typing import Any

#: Path parameters that an answer fills, by the operation's name.
_FILLED: dict[str, tuple[dict[str, str], ...]] = {
    "list_agents": ({"agent_id": "/agents/0/id"},),
    "create_team": ({"team_id": "/id"},),
    "execute_team": (
        {"execution_id": "/execution_id"},
        {"execution_id": "/execution_id", "key": "/results/0/key"},
    ),
    "retry_execution": ({"execution_id": "/execution_id"},),
    "list_notifications": ({"notification_id": "/notifications/0/id"},),
    "create_webhook": ({"webhook_id": "/id"},),
    "test_webhook": ({"webhook_id": "/webhook_id", "delivery_id": "/id"},),
    "create_api_key": ({"key_id": "/id"},),
}
#: Path parameters that name no thing: whoever follows a link chooses.
_CHOSEN = {"field"}


def add_links(document: dict[str, Any]) -> None:
    """Write the links into an OpenAPI document."""
    operations = {
        operation["operationId"]: operation
        for path in document.get("paths", {}).values()
        for operation in path.values()
    }
    for name, ways in _FILLED.items():
        answers = operations[name]["responses"]
        success = next(answer for status, answer in answers.items() if status.startswith("2"))
        success["links"] = {
            target: _link(target, ids)
            for ids in ways
            for target, operation in operations.items()
            if _path_parameters(operation) - _CHOSEN == set(ids)
        }


def _link(target: str, ids: dict[str, str]) -> dict[str, Any]:
    parameters = {f"path.{name}": f"$response.body#{place}" for name, place in ids.items()}
    return {"operationId": target, "parameters": parameters}


def _path_parameters(operation: dict[str, Any]) -> set[str]:
    return {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
