"""What a preview does that no single template may decide."""

from dataclasses import replace
from uuid import uuid4

from app.domain.execution import ExecutionConfig
from app.infra.templates.jinja import JinjaTemplates
from app.usecases.plans import plan_team
from tests.builders import a_team, an_agent
from tests.world import LIMITS, World

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


async def test_a_team_of_slow_templates_is_shown_within_the_limit(world: World) -> None:
    slow = [an_agent(f"slow_{n}", n, input_template=ENDLESS) for n in range(1, 9)]
    team = a_team(*slow, an_agent("plain", 9))
    async with world.db.transaction() as tx:
        await tx.teams.add(team)

    plan = await plan_team(
        world.db,
        JinjaTemplates(limit_s=3600),
        replace(LIMITS, preview_s=0.2),
        team.id,
        user_id=team.user_id,
        prompt=str(uuid4()),
        context={},
        config=ExecutionConfig(),
    )

    assert [s.input is None for s in plan.steps] == [True] * 8 + [False]
    assert all("too long together" in (s.input_error or "") for s in plan.steps[:8])
    assert plan.steps[8].input_error is None
