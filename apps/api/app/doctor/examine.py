"""All that the doctor looks at."""

import asyncio
from collections.abc import Sequence

from app.core.settings import ConfigurationError, Settings
from app.doctor.collector import collector_findings
from app.doctor.database import database_findings
from app.doctor.findings import Finding, failed
from app.doctor.redis import redis_findings
from app.doctor.settings import settings_findings
from app.doctor.suna import suna_findings
from app.doctor.supabase import supabase_findings


def bad_values(error: ConfigurationError) -> list[Finding]:
    """Settings that cannot even be read; nothing else can be looked at then."""
    return [
        failed("settings.values", problem, "correct it; .env.example explains each setting")
        for problem in error.problems
    ]


async def examine(settings: Settings) -> list[Finding]:
    """
    Everything, as it is right now; what depends on each other one after the other, the rest at
    the same time. Changes nothing, and raises nothing that a broken dependency can cause.
    """
    looks: Sequence[list[Finding]] = await asyncio.gather(
        database_findings(settings),
        redis_findings(settings),
        suna_findings(settings),
        supabase_findings(settings),
        collector_findings(settings),
    )
    return [*settings_findings(settings), *(finding for found in looks for finding in found)]
