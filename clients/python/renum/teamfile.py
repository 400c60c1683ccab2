"""Teams as files: how a team is written, and how what is written differs from what there is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from renum.models import Team

#: What a file says about which team is meant; the rest is the team.
ABOUT = frozenset({"id", "version"})
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; `before` or `after` is None where there is nothing."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.path}: {_short(self.after)}"
        if self.after is None:
            return f"- {self.path}: {_short(self.before)}"
        return f"~ {self.path}: {_short(self.before)} -> {_short(self.after)}"


def changes(team: Team | None, wanted: Mapping[str, Any]) -> list[Change]:
    """
    What must change for the team to be as it is written; every agent has its `agent_id`.

    What a file leaves out is its default, except for `status`, which then stays.
    """
    before = {} if team is None else _normal(team.model_dump(mode="json"))
    after = _normal(wanted)
    if "status" not in wanted:
        before.pop("status", None)
        after.pop("status", None)
    return list(_differences("", before, after))


def body(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The request that makes a team as it is written: a description that is left out is none."""
    rest = {name: value for name, value in wanted.items() if name not in ABOUT}
    return {"description": None, **rest}


def as_file(team: Team, *, pinned: bool = False) -> dict[str, Any]:
    """
    The team as it is written; applying it changes nothing.

    `pinned` names exactly this team in exactly this version.
    """
    normal = _normal(team.model_dump(mode="json"))
    about = {"id": team.id, "version": team.version} if pinned else {}
    names = ("name", "description", "workflow_type", "status")
    agents = [
        {
            name: agent[name]
            for name in ("agent_id", "key", "role", "order", "config")
            if agent.get(name) not in (None, {})
        }
        for agent in normal["agents"].values()
    ]
    kept = {name: normal[name] for name in names if normal.get(name) is not None}
    return {**about, **kept, "agents": agents}


def _normal(team: Mapping[str, Any]) -> dict[str, Any]:
    """With every default filled in, so that two ways to write one team are equal."""
    agents = [{"order": n} | _given(agent) for n, agent in enumerate(team["agents"], 1)]
    placed = {key: _normal_agent(agent, key) for key, agent in _keyed(agents)}
    ordered = sorted(placed.items(), key=lambda item: item[1]["order"])
    return {
        "name": str(team.get("name", "")).strip(),
        "description": team.get("description"),
        "workflow_type": team.get("workflow_type"),
        "status": team.get("status"),
        "agents": dict(ordered),
    }


def _keyed(agents: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each agent under its key; the server names those without one in the same way."""
    given = {agent["key"] for agent in agents if "key" in agent}
    taken: set[str] = set()
    for agent in agents:
        key, n = agent.get("key") or f"agent_{agent['order']}", 1
        while "key" not in agent and (key in given or key in taken):
            n += 1
            key = f"agent_{agent['order']}_{n}"
        taken.add(key)
        yield key, agent


def _normal_agent(agent: Mapping[str, Any], key: str) -> dict[str, Any]:
    config = _given(agent.get("config") or {})
    if "conditions" in config:
        config["conditions"] = [
            {name: value for name, value in condition.items() if value is not None}
            for condition in config["conditions"]
        ]
    return {
        "agent_id": str(agent["agent_id"]).lower(),
        "key": key,
        "role": agent.get("role", "member"),
        "order": agent["order"],
        "config": config,
    }


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what means the same as leaving it out."""
    return {name: value for name, value in fields.items() if value is not None and value != []}


def _differences(path: str, before: Any, after: Any) -> Iterator[Change]:  # noqa: ANN401  JSON
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            place = f"{path}.{name}" if path else name
            yield from _differences(place, before.get(name), after.get(name))
    elif not _same(before, after):
        yield Change(path, before, after)


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401  JSON
    """Whether both are the same JSON; Python alone takes true for 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return bool(one == other)


def _short(value: Any) -> str:  # noqa: ANN401  JSON
    text = (
        str(value["agent_id"]) if isinstance(value, dict) and "agent_id" in value else repr(value)
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
