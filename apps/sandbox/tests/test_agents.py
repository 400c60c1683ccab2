"""What the demo agents make of a prompt; no server."""

import json

import pytest

from renum_sandbox import constants
from renum_sandbox.agents import catalogue, draft, extract, outline, review, summarise, translate
from renum_sandbox.agents.prompt import Markers, markers, parse, without_markers
from renum_sandbox.agents.text import key_phrases, sentences

BRIEF = (
    "Create a marketing campaign for the new reusable bottle of Aurora Café, aimed at young "
    "professionals in São Paulo. It keeps coffee warm for 12 hours, costs R$ 89.90 and ships on "
    "15 March 2027. Questions go to hello@aurora.example or https://aurora.example/help."
)


def team_prompt(**results: str) -> str:
    """As Renum labels a step's input."""
    sections = [f"## Task\n{BRIEF}", '## Context\n{"tone": "warm", "product": "Aurora bottle"}']
    sections += [f"## Result of {name} (step)\n{text}" for name, text in results.items()]
    return "\n\n".join(sections)


class TestPrompt:
    def test_a_plain_prompt_is_all_task(self) -> None:
        prompt = parse("Write about bread")
        assert (prompt.task, prompt.context, prompt.results) == ("Write about bread", {}, ())

    def test_sections_are_told_apart_from_the_headings_of_results(self) -> None:
        prompt = parse(team_prompt(Copywriter="# Title\n\n## Why\nBecause."))
        assert prompt.task == BRIEF
        assert prompt.context == {"tone": "warm", "product": "Aurora bottle"}
        assert prompt.results[0].author == "Copywriter (step)"
        assert prompt.results[0].text == "# Title\n\n## Why\nBecause."

    def test_context_may_be_lines(self) -> None:
        prompt = parse("Do it\n\n## Context:\n- Target audience: cooks\n- tone: dry")
        assert prompt.context == {"target_audience": "cooks", "tone": "dry"}

    def test_context_shows_nested_values(self) -> None:
        prompt = parse('## Context\n```json\n{"tags": ["a", "b"], "size": {"x": 1}}\n```')
        assert prompt.context == {"tags": "a, b", "size": '{"x": 1}'}

    def test_material_is_the_last_result(self) -> None:
        assert parse(team_prompt(One="first", Two="second")).material == "second"

    def test_material_leaves_out_an_opening_order(self) -> None:
        assert parse("Please translate this text: Good morning").material == "Good morning"

    def test_markers_are_read_and_removed(self) -> None:
        text = "Do it [[sleep=0.5]] now [[fail]][[late=2]]"
        assert markers(text) == Markers(sleep_s=0.5, late_s=2.0, fail=True)
        assert without_markers(text) == "Do it  now"
        assert not markers("[[unknown]] [[sleep=x]]").any


class TestText:
    def test_abbreviations_end_no_sentence(self) -> None:
        assert sentences("Dr. Lima came. She left!") == ["Dr. Lima came.", "She left!"]

    def test_key_phrases_leave_out_orders_and_addresses(self) -> None:
        phrases = key_phrases(BRIEF, 6)
        assert "new reusable bottle" in phrases
        assert not any("aurora.example" in p or "Create" in p for p in phrases)


class TestOutline:
    def test_it_follows_the_brief(self) -> None:
        text = outline.work(parse(BRIEF))
        assert text.startswith("# Outline: New reusable bottle of Aurora Café\n")
        assert "**Audience:** Young professionals in São Paulo" in text
        assert text.count("\n   - ") == 8

    def test_context_wins_over_the_words_of_the_task(self) -> None:
        text = outline.work(parse(team_prompt()))
        assert text.startswith("# Outline: Aurora bottle\n")
        assert "**Tone:** Warm" in text

    def test_it_names_what_it_builds_on(self) -> None:
        assert "**Builds on:** Summariser (step): Coffee sells." in outline.work(
            parse(team_prompt(Summariser="Coffee sells. Tea does not."))
        )


class TestDraft:
    def test_it_writes_along_an_outline(self) -> None:
        plan = outline.work(parse(BRIEF))
        text = draft.work(parse(team_prompt(Strategist=plan)))
        headings = [line[4:] for line in text.splitlines() if line.startswith("### ")]
        assert len(headings) == 4
        assert all(heading in plan for heading in headings)
        assert "With the new reusable bottle of Aurora Café" in text

    def test_an_outline_may_be_the_whole_prompt(self) -> None:
        plan = outline.work(parse(BRIEF))
        assert draft.work(parse(plan)) == draft.work(parse(team_prompt(Strategist=plan)))

    def test_it_writes_from_a_brief_alone(self) -> None:
        text = draft.work(parse("Create a marketing campaign for product X"))
        assert text.startswith("# Product X")
        assert 80 <= len(text.split()) <= 250


class TestReview:
    def test_it_finds_what_is_wrong(self) -> None:
        long_sentence = "We " + "write or read, " * 15 + "until it ends."
        text = f"{long_sentence} This is is very bad and was written by nobody. " + "Coffee. " * 6
        found = review.work(parse(text))
        for expected in (
            "Long sentence (49 words)",
            "Doubled word: “is is”",
            "Passive: “was written”",
            "Filler words: “very” (1)",
            "“coffee” stands 6 times",
            "**Verdict:** Revise",
        ):
            assert expected in found

    def test_it_approves_a_good_text(self) -> None:
        text = " ".join(f"Reader {n} opens page {n} and finds fact {n}." for n in range(7))
        found = review.work(parse(f"# Facts\n\n{text}"))
        assert "**Verdict:** Approved" in found
        assert "- The voice is active throughout." in found

    def test_a_clean_text_can_be_published(self) -> None:
        text = (
            "Our bakery opens at six. Bread comes out of a stone oven, warm and dark. Two bakers "
            "knead by hand. Rye, wheat and spelt grow ten miles away. Come early, bring a friend, "
            "taste three loaves and pick one. We wrap it in paper."
        )
        assert "Publish it." in review.work(parse(text))

    def test_it_reviews_the_last_result(self) -> None:
        assert "**Reviewed:** Two (step)" in review.work(parse(team_prompt(One="a", Two="b")))

    @pytest.mark.parametrize(
        ("text", "finding"), [("Short.", "Only 1 word"), ("Word. " * 700, "700 words is long")]
    )
    def test_length_counts(self, text: str, finding: str) -> None:
        assert finding in review.work(parse(text))


class TestTranslate:
    @pytest.mark.parametrize(
        ("english", "portuguese"),
        [
            ("The new campaign", "A campanha nova"),
            ("young professionals", "jovens profissionais"),
            ("our best products", "nossos melhores produtos"),
            ("a good story", "uma boa história"),
            ("these stories", "estas histórias"),
            ("the people", "as pessoas"),
            ("the first week of the project", "a primeira semana do projeto"),
            ("Today we launch in the city", "Hoje nós lançar no cidade"),
            ("reliable agents", "agentes confiáveis"),
            ("HELLO", "OLÁ"),
        ],
    )
    def test_phrases_agree(self, english: str, portuguese: str) -> None:
        assert translate.work(parse(english)).split("\n")[0] == portuguese

    def test_unknown_words_stay_and_are_listed(self) -> None:
        text = translate.work(parse("Hello zorblax, see https://a.example/the and `the code`"))
        assert "Olá zorblax, ver https://a.example/the e `the code`" in text
        assert "fora do glossário: zorblax" in text

    def test_many_unknown_words_are_counted(self) -> None:
        text = translate.work(parse(" ".join(f"zor{chr(97 + n)}" for n in range(20))))
        assert "e mais 5" in text

    def test_markdown_stays(self) -> None:
        assert translate.work(parse("# **Hello**\n\n- world")).startswith("# **Olá**\n\n- mundo")


class TestSummarise:
    def test_it_keeps_sentences_of_the_text_in_order(self) -> None:
        kept = summarise.top_sentences(f"{BRIEF} " * 2 + "Nothing else matters here today.", 3)
        assert kept[0].startswith("Create a marketing campaign")
        assert len(kept) <= 3

    def test_several_results_are_summarised_one_by_one(self) -> None:
        text = summarise.work(parse(team_prompt(One="Coffee sells very well here.", Two="Tea.")))
        assert "### One (step)\n\n- Coffee sells very well here." in text
        assert "### Two (step)" in text


class TestExtract:
    def test_it_answers_valid_json(self) -> None:
        found = json.loads(extract.work(parse(BRIEF)))
        assert found["emails"] == ["hello@aurora.example"]
        assert found["urls"] == ["https://aurora.example/help"]
        assert found["dates"] == ["15 March 2027"]
        assert {"value": 12, "unit": "hours"} in found["numbers"]
        assert {"value": 89.9, "unit": "R$"} in found["numbers"]
        assert found["names"][:2] == ["Aurora Café", "São Paulo"]

    @pytest.mark.parametrize("text", ["", "1" * 400, "{" * 50, "\x00", "N 5%", "The Board met."])
    def test_odd_text_is_no_problem(self, text: str) -> None:
        assert "names" in json.loads(extract.work(parse(text)))


@pytest.mark.parametrize("agent", catalogue.AGENTS, ids=lambda agent: agent.key)
class TestEveryAgent:
    def test_the_answer_depends_on_the_prompt_alone(self, agent: catalogue.Agent) -> None:
        assert agent.work(parse(BRIEF)) == agent.work(parse(BRIEF))
        assert agent.work(parse(BRIEF)) != agent.work(parse("Write about bread and butter."))

    @pytest.mark.parametrize("text", ["", " ", "#", "## Task", "## Result of X\n", "?!", "é" * 9])
    def test_odd_prompts_are_answered(self, agent: catalogue.Agent, text: str) -> None:
        assert agent.work(parse(text)).strip()

    @pytest.mark.parametrize(
        "piece", ["Aa ", "a", "1,", "x_", "# ", "a.b@", " \n", "**a", "`a", "## Result of X   "]
    )
    def test_a_hostile_prompt_does_not_block_the_loop(
        self, agent: catalogue.Agent, piece: str
    ) -> None:
        """Quadratic work on this much text takes minutes: the test would time out."""
        agent.work(parse(piece * (200_000 // len(piece))))


def test_demo_answers_have_a_pleasant_length() -> None:
    plan = catalogue.answer(constants.OUTLINE_AGENT_ID, BRIEF)
    copy = catalogue.answer(constants.DRAFT_AGENT_ID, team_prompt(Strategist=plan))
    notes = catalogue.answer(constants.REVIEW_AGENT_ID, team_prompt(Copywriter=copy))
    for text in (plan, copy, notes):
        assert 80 <= len(text.split()) <= 260
