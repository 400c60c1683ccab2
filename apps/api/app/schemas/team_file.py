"""The JSON Schema of team files, which `renum teams apply` reads and editors complete from."""

from typing import Any

from app.schemas.teams import CreateTeam, UpdateTeam


def team_file_schema() -> dict[str, Any]:
    """
    What `POST /teams` takes, and what only files say: agents by name, and which team is meant.

    The same for every document of a file with several.
    """
    schema = CreateTeam.model_json_schema()
    agent = schema["$defs"]["TeamAgentRequest"]
    agent["properties"]["agent"] = {
        "type": "string",
        "title": "Agent",
        "description": "The exact name of one of Suna's agents, instead of its `agent_id`.",
    }
    agent.pop("required")
    agent["oneOf"] = [{"required": ["agent"]}, {"required": ["agent_id"]}]
    schema["$defs"]["TeamStatus"] = UpdateTeam.model_json_schema()["$defs"]["TeamStatus"]
    schema["properties"] |= {
        "status": {"$ref": "#/$defs/TeamStatus"},
        "id": {
            "type": "string",
            "format": "uuid",
            "title": "Id",
            "description": "Which team is meant. Default: the one with exactly this name.",
        },
        "version": {
            "type": "integer",
            "minimum": 1,
            "title": "Version",
            "description": "Refuse to change the team when it has another version by now.",
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Renum team",
        "description": "One team, as `renum teams apply -f` takes it.",
    }
