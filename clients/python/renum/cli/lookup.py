"""Names that people type, found on the server."""

import difflib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from renum.cli.exits import BadInput
from renum.client import AsyncClient
from renum.errors import NotFound
from renum.models import Team


async def find_team(client: AsyncClient, given: str) -> Team:
    """
    The team with this id or exactly this name.

    Raises:
        BadInput: there is none, or several have the name; the message lists what there is.
    """
    if is_id(given):
        try:
            return await client.teams.get(given)
        except NotFound:
            raise BadInput(f"there is no team with the id {given}") from None
    named = [team async for team in client.teams.all(search=given) if team.name == given]
    if len(named) == 1:
        return await client.teams.get(named[0].id)
    if named:
        listed = "".join(f"\n  {team.id}  created {team.created_at}" for team in named)
        raise BadInput(f"{len(named)} teams are named {given!r}: give an id{listed}")
    names = [team.name async for team in client.teams.all()]
    raise BadInput(f"there is no team named {given!r}{_suggestion(given, names)}")


async def fill_agents(client: AsyncClient, team: dict[str, Any]) -> dict[str, Any]:
    """
    The team with every `agent: name` replaced by that agent's id.

    Raises:
        BadInput: a name is unknown or not unique.
    """
    agents = team["agents"]
    if not any("agent" in agent for agent in agents):
        return team
    ids: dict[str, list[str]] = defaultdict(list)
    async for agent in client.agents.all():
        ids[agent.name].append(agent.id)
    return {**team, "agents": [_with_id(agent, ids) for agent in agents]}


def _with_id(agent: dict[str, Any], ids: dict[str, list[str]]) -> dict[str, Any]:
    filled = dict(agent)
    name = filled.pop("agent", None)
    if name is None:
        return filled
    if "agent_id" in filled:
        raise BadInput(f"agent {name!r} also has an agent_id: give one of the two")
    found = ids.get(name, [])
    if len(found) > 1:
        raise BadInput(f"{len(found)} agents are named {name!r}: give agent_id, one of {found}")
    if not found:
        raise BadInput(f"there is no agent named {name!r}{_suggestion(str(name), ids)}")
    return {"agent_id": found[0], **filled}


def _suggestion(given: str, names: Iterable[str]) -> str:
    """What may have been meant; with few names, all of them."""
    known = sorted(set(names))
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given.lower(), by_lower, n=3, cutoff=0.5)
    meant = [by_lower[name] for name in close]
    if meant:
        return f"; did you mean {' or '.join(repr(name) for name in meant)}?"
    if known:
        return f"; there are {', '.join(repr(name) for name in known[:10])}"
    return "; there are none yet"


def is_id(text: str) -> bool:
    """Whether it is written as a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
