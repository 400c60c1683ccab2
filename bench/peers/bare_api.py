"""
FastAPI and a driver, and nothing else: what an API written down in an afternoon does.

`uvicorn bench.peers.bare_api:app`, with `DATABASE_URL`. No authentication, no limits, no logs.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
from fastapi import FastAPI, Response
from pydantic import BaseModel

_TABLE = """
CREATE TABLE IF NOT EXISTS teams (
    id uuid PRIMARY KEY, name text, description text, workflow_type text, status text,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
)
"""
_ADD = """
INSERT INTO teams (id, name, description, workflow_type, status)
VALUES ($1, $2, $3, 'sequential', 'active') RETURNING *
"""


class Draft(BaseModel):
    name: str
    description: str | None = None


class Team(Draft):
    id: UUID
    workflow_type: str
    status: str
    created_at: datetime
    updated_at: datetime


async def _keep_as_it_is(_: object) -> None:
    pass


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=10, max_size=10, reset=_keep_as_it_is) as pool:
        await pool.execute(_TABLE)
        app.state.pool = pool
        row = await pool.fetchrow(_ADD, uuid4(), "Marketing Team", "For campaigns")
        app.state.team_id = row["id"]
        yield


app = FastAPI(lifespan=_lifespan)


@app.get("/plain")
async def plain() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/team")
async def team() -> Team:
    row = await app.state.pool.fetchrow("SELECT * FROM teams WHERE id = $1", app.state.team_id)
    return Team(**row)


@app.post("/teams", status_code=201)
async def add(draft: Draft) -> Team:
    return Team(**await app.state.pool.fetchrow(_ADD, uuid4(), draft.name, draft.description))


@app.get("/bytes/{size}")
async def ready_bytes(size: int) -> Response:
    return Response(b"x" * size, media_type="application/json")
