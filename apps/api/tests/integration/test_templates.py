"""Input templates as users may write them, and as attackers would."""

import asyncio
from contextlib import suppress
from uuid import uuid4

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.templates import MAX_TEMPLATE, TemplateFailed, TemplateUse
from app.infra.templates.jinja import MAX_RENDERED, JinjaTemplates

ANA, BRUNO = uuid4(), uuid4()
FACTS = {
    "initial_prompt": "Sell {{ oats }}",
    "context": {"product": "X", "tags": ["a", "b"]},
    "results": {
        "first": {"status": "completed", "output": '{"score": 7, "who": "Zoë"}'},
        "second-one": {"status": "failed", "output": None},
    },
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ initial_prompt }}", "Sell {{ oats }}"),
        ("{{ context.product }} {{ context['tags'] | join('+') }}\n", "X a+b\n"),
        ("{{ results.first.json.score + 1 }} {{ results.first.json.who }}", "8 Zoë"),
        ("{{ results['second-one'].status }}", "failed"),
        ("{% for k, r in results.items() %}{{ k }};{% endfor %}", "first;second-one;"),
        ("{% if results.first.output is string %}yes{% endif %}", "yes"),
        ("{% set x = 3 %}{{ x * 2 }} {{ context.tags | tojson }}", '6 ["a", "b"]'),
        ("<b>{{ '<i>' }}</b>", "<b><i></b>"),
        ("{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(1) }}", "[1]"),
    ],
)
async def test_a_template_becomes_text(template: str, text: str) -> None:
    templates = JinjaTemplates()
    assert templates.examine(template).fault is None
    assert await templates.render(template, FACTS, user_id=ANA) == text


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("x" * (MAX_TEMPLATE + 1), "longer than"),
        ("one\n{% if %}", "Line 2"),
        ("{{ prompt }}", "'prompt'"),
        ("{{ initial_prompt | shout }}", "no filter 'shout'"),
        ("{{ 1 if initial_prompt is loud }}", "no test 'loud'"),
        ("{% include 'x' %}", "include"),
        ("{% extends 'x' %}", "extend"),
        ("{% import 'x' as y %}", "import"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deeply"),
    ],
)
def test_what_cannot_work_is_found_without_rendering(template: str, fault: str) -> None:
    assert fault in (JinjaTemplates().examine(template).fault or "")


def test_the_agents_that_a_template_names_are_found() -> None:
    template = "{{ results.b.output }}{{ results['a-1'].json.x }}{{ results.b.status }}"
    assert JinjaTemplates().examine(template) == TemplateUse(sources=("b", "a-1"))


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ context.nothing }}", "there is no 'nothing'"),
        ("{{ results.first.nothing }}", "there is no 'nothing'"),
        ("{{ results['second-one'].json }}", "there is no 'json'"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ ''.__class__.__mro__ }}", "may not do"),
        ("{{ context.update({'a': 1}) }}", "may not do"),
        ("{{ range(10 ** 9) | list }}", "Range too big"),
        ("{{ 'a' * 10 ** 10 }}", "memory"),
        ("{{ 'a' | center(10 ** 10) }}", "memory"),
        ("{{ '%0999999999d' % 1 }}", "memory"),
        ("{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}", f"{MAX_RENDERED:,}"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "0.5 s"),
        ("{{ 9 ** (9 ** 9) }}", "0.5 s"),
    ],
)
async def test_what_goes_wrong_is_said_and_harms_nobody(template: str, says: str) -> None:
    templates = JinjaTemplates(limit_s=0.5 if "0.5 s" in says else 30)
    with pytest.raises(TemplateFailed, match="The input template failed") as failed:
        await templates.render(template, FACTS, user_id=ANA)
    assert says in str(failed.value)
    assert "Traceback" not in str(failed.value)


async def test_agents_may_be_called_like_methods() -> None:
    facts = {
        "initial_prompt": "x",
        "context": {"get": "from the context"},
        "results": {
            key: {"status": "completed", "output": f"of {key}"} for key in ("items", "copy")
        },
    }
    template = (
        "{{ results.items.output }}, {{ results['copy'].output }}, {{ context.get }}, "
        "{% for r in results.values() %}{{ r.status }} {% endfor %}"
    )
    templates = JinjaTemplates()
    assert templates.examine(template).sources == ("items", "copy")
    rendered = await templates.render(template, facts, user_id=ANA)
    assert rendered == "of items, of copy, from the context, completed completed "


async def test_what_cannot_be_stored_is_replaced() -> None:
    rendered = await JinjaTemplates().render("{{ '%c' % 0 }}{{ '\\ud800' }}", FACTS, user_id=ANA)
    assert "\0" not in rendered
    rendered.encode()


async def test_others_go_on_while_one_is_slow() -> None:
    slow = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    rendering = asyncio.create_task(JinjaTemplates(limit_s=60).render(slow, FACTS, user_id=ANA))
    assert await JinjaTemplates().render("quick", FACTS, user_id=ANA) == "quick"
    assert not rendering.done()
    rendering.cancel()
    await asyncio.gather(rendering, return_exceptions=True)
    assert renderers() == []


async def test_nobody_waits_for_the_slow_ones_of_somebody_else() -> None:
    slow = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    templates = JinjaTemplates(limit_s=60)
    many = [asyncio.create_task(templates.render(slow, FACTS, user_id=ANA)) for _ in range(4)]
    await asyncio.sleep(0)
    assert await templates.render("quick", FACTS, user_id=BRUNO) == "quick"
    assert not any(task.done() for task in many)
    for task in many:
        task.cancel()
    await asyncio.gather(*many, return_exceptions=True)


def renderers() -> list[int]:
    """Pids of the processes of ours that render templates now."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            found += [child.pid for word in child.cmdline() if word.endswith("child.py")]
    return found


async def test_who_is_cancelled_leaves_no_process_behind() -> None:
    slow = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    rendering = asyncio.create_task(JinjaTemplates().render(slow, FACTS, user_id=ANA))
    async with asyncio.timeout(30):
        while not (begun := renderers()):
            await asyncio.sleep(0)
    rendering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rendering
    assert not set(begun) & set(renderers())


async def test_the_process_knows_nothing_of_our_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "/nonexistent")
    monkeypatch.setenv("PYTHONHASHSEED", "not a number")  # would keep Python from starting
    assert await JinjaTemplates().render("still here", FACTS, user_id=ANA) == "still here"


@settings(max_examples=200)
@given(st.text(max_size=60) | st.text(alphabet="{%}#\"'|().resultsif for0 ", max_size=80))
def test_examining_never_raises(text: str) -> None:
    assert isinstance(JinjaTemplates().examine(text), TemplateUse)


@settings(max_examples=10)
@given(st.text(st.characters(exclude_categories=["Cs"])))
async def test_data_comes_through_as_it_is(text: str) -> None:
    rendered = await JinjaTemplates().render(
        "{{ initial_prompt }}", {**FACTS, "initial_prompt": text}, user_id=ANA
    )
    # PostgreSQL keeps no NUL, whatever made it.
    assert rendered == text.replace("\0", "\ufffd")
