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


def read_team(source: str) -> dict[str, Any]:
    """
    A team from YAML or JSON, ready for the API but for agents that are given by name.

    `order` is by default the place in the list. Everything else is the server's to check.
    """
    team = _parsed(source)
    agents = team.get("agents")
    if not isinstance(agents, list) or not all(isinstance(agent, dict) for agent in agents):
        raise BadInput(f"{source}: `agents` must be a list of agents, each with its fields")
    return {**team, "agents": [{"order": n, **agent} for n, agent in enumerate(agents, 1)]}


def _parsed(source: str) -> dict[str, Any]:
    text = read_text(source)
    try:
        # JSON may hold tabs, which YAML refuses.
        team = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"{source} is not YAML: {error}") from error
    except ValueError as error:
        raise BadInput(f"{source} is not JSON: {error}") from error
    if not isinstance(team, dict):
        raise BadInput(f"{source} must hold a team: name, workflow_type, agents")
    return team


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
