"""What people write in files and on the command line."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from renum.cli.exits import BadInput


def read_text(source: str) -> str:
    """A file's text; `-` is stdin."""
    if source == "-":
        return sys.stdin.read()
    try:
        return Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot read {source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{source} is not UTF-8 text") from error


class _Loader(yaml.SafeLoader):
    """YAML that stays JSON: what looks like a date is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as the base class has it
        first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith(":timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_team(source: str) -> dict[str, Any]:
    """The one team of a file; otherwise as `read_teams`."""
    teams = read_teams(source)
    if len(teams) != 1:
        raise BadInput(f"{source} holds {len(teams)} teams: `renum teams apply` takes several")
    return teams[0]


def read_teams(source: str) -> list[dict[str, Any]]:
    """
    Teams from YAML (one or more documents) or JSON (a team or a list of them), ready for the
    API but for agents that are given by name.

    `order` is by default the place in the list. Everything else is the server's to check.
    """
    return parse_teams(read_text(source), source)


def parse_teams(text: str, source: str) -> list[dict[str, Any]]:
    """As `read_teams`, from text; `source` is what errors call it."""
    try:
        # JSON may hold tabs, which YAML refuses.
        if text.lstrip().startswith(("{", "[")):
            loaded = json.loads(text)
            documents = loaded if isinstance(loaded, list) else [loaded]
        else:
            documents = [one for one in yaml.load_all(text, _Loader) if one is not None]
    except yaml.YAMLError as error:
        raise BadInput(f"{source} is not YAML: {error}") from error
    except ValueError as error:
        raise BadInput(f"{source} is not JSON: {error}") from error
    if not documents:
        raise BadInput(f"{source} must hold a team: name, workflow_type, agents")
    return [_team(document, source) for document in documents]


def _team(team: object, source: str) -> dict[str, Any]:
    if not isinstance(team, dict):
        raise BadInput(f"{source} must hold a team: name, workflow_type, agents")
    agents = team.get("agents")
    if not isinstance(agents, list) or not all(isinstance(agent, dict) for agent in agents):
        raise BadInput(f"{source}: `agents` must be a list of agents, each with its fields")
    return {**team, "agents": [{"order": n, **agent} for n, agent in enumerate(agents, 1)]}


def write_teams(teams: Sequence[dict[str, Any]]) -> str:
    """YAML, one document each; `read_teams` reads it back."""
    return yaml.safe_dump_all(teams, allow_unicode=True, sort_keys=False, width=88)


def read_context(pairs: Sequence[str], source: str | None) -> dict[str, Any] | None:
    """`key=text` and `key:=json` pairs over the object in a JSON file; None without either."""
    if not pairs and source is None:
        return None
    context: dict[str, Any] = {}
    if source is not None:
        try:
            loaded = json.loads(read_text(source))
        except ValueError as error:
            raise BadInput(f"{source} is not JSON: {error}") from error
        if not isinstance(loaded, dict):
            raise BadInput(f"{source} must hold a JSON object")
        context |= loaded
    return context | dict(_pair(text) for text in pairs)


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip(":"):
        raise BadInput(f"--context {text!r}: write key=text, or key:=json")
    if not key.endswith(":"):
        return key, value
    try:
        return key[:-1], json.loads(value)
    except ValueError as error:
        raise BadInput(f"--context {text!r}: {value!r} is not JSON") from error
