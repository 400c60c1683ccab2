"""Health, the list of agents, one agent."""

from typing import Annotated, Any
from uuid import NAMESPACE_URL, uuid5

from fastapi import APIRouter, Query

from renum_sandbox.agents import catalogue
from renum_sandbox.agents.catalogue import Agent
from renum_sandbox.constants import SUNA_ACCOUNT_ID
from renum_sandbox.context import CurrentSandbox
from renum_sandbox.faults import Operation
from renum_sandbox.suna import errors
from renum_sandbox.suna.caller import Account
from renum_sandbox.suna.dialect import CurrentDialect, Dialect
from renum_sandbox.suna.frames import iso
from renum_sandbox.suna.refusals import SunaRoute

router = APIRouter(route_class=SunaRoute)


@router.get("/health", tags=[Operation.HEALTH])
async def health(sandbox: CurrentSandbox) -> dict[str, Any]:
    """Open to everybody; says nothing about credentials or the database, like the real one."""
    return {"status": "ok", "timestamp": iso(sandbox.now()), "instance_id": "sandbox"}


@router.get("/agents", tags=[Operation.AGENTS])
async def list_agents(
    _: Account,
    dialect: CurrentDialect,
    page: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    search: str | None = None,
    sort_by: str = "created_at",
    sort_order: str = "desc",
    has_default: bool | None = None,
    has_mcp_tools: bool | None = None,
    has_agentpress_tools: bool | None = None,
    tools: str | None = None,
) -> dict[str, Any]:
    """One page of the account's agents, filtered and sorted."""
    wanted_tools = {t.strip() for t in (tools or "").split(",") if t.strip()}
    found = [
        agent
        for agent in catalogue.AGENTS
        if not agent.private
        and (search or "").lower() in f"{agent.name}\n{agent.description}".lower()
        and has_default in (None, agent.is_default)
        and has_mcp_tools in (None, bool(agent.custom_mcps))
        and has_agentpress_tools in (None, bool(_enabled_tools(agent)))
        and wanted_tools <= _enabled_tools(agent)
    ]
    sorters = {"name": lambda a: a.name, "tools_count": lambda a: len(_enabled_tools(a))}
    found.sort(
        key=sorters.get(sort_by, lambda a: a.created_at), reverse=sort_order.lower() == "desc"
    )
    total = len(found)
    items = [_as_json(agent, dialect) for agent in found[(page - 1) * limit : page * limit]]
    if dialect is Dialect.START:
        items = [{**item, "system_prompt": None} for item in items]
    pages = -(-total // limit)
    return {
        "agents": items,
        "pagination": {"page": page, "limit": limit, "total": total, "pages": pages},
    }


@router.get("/agents/{agent_id}", tags=[Operation.AGENTS])
async def get_agent(agent_id: str, _: Account, dialect: CurrentDialect) -> dict[str, Any]:
    errors.require_uuid(agent_id, "Failed to fetch agent")
    agent = catalogue.find(agent_id)
    if agent is None:
        raise errors.agent_not_found(dialect)
    if agent.private:
        raise errors.denied()
    return _as_json(agent, dialect)


def _enabled_tools(agent: Agent) -> set[str]:
    return {
        name
        for name, tool in agent.tools.items()
        if (tool.get("enabled") if isinstance(tool, dict) else tool)
    }


def _as_json(agent: Agent, dialect: Dialect) -> dict[str, Any]:
    version_id = str(uuid5(NAMESPACE_URL, f"{agent.id}/version/1"))
    work = {
        "system_prompt": agent.system_prompt,
        "configured_mcps": [],
        "custom_mcps": [dict(mcp) for mcp in agent.custom_mcps],
        "agentpress_tools": dict(agent.tools),
    }
    made = iso(agent.created_at.timestamp())
    body: dict[str, Any] = {
        "agent_id": agent.id,
        "account_id": SUNA_ACCOUNT_ID,
        "name": agent.name,
        "description": agent.description,
        **work,
        "is_default": agent.is_default,
        "is_public": False,
        "tags": list(agent.tags),
        "avatar": agent.avatar,
        "avatar_color": agent.avatar_color,
        "profile_image_url": None,
        "created_at": made,
        "updated_at": made,
        "current_version_id": version_id,
        "version_count": 1,
        "current_version": {
            "version_id": version_id,
            "agent_id": agent.id,
            "version_number": 1,
            "version_name": "v1",
            **work,
            "is_active": True,
            "created_at": made,
            "updated_at": made,
            "created_by": SUNA_ACCOUNT_ID,
        },
        "metadata": {"is_suna_default": False},
    }
    if dialect is Dialect.START:
        del body["account_id"]  # era B may leave it out
    return body
