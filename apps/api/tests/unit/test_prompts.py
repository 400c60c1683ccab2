"""The text that an agent is given."""

from app.domain.prompts import Output, combined, handed_over, task

A, B = Output("a", "Ana", "first"), Output("b", "Bo", "second")


def test_a_task_without_context_is_the_prompt_as_it_is() -> None:
    assert task("Sell X", {}) == "Sell X"


def test_context_follows_the_prompt_line_by_line() -> None:
    text = task("Sell X", {"product": "Ação", "tags": ["ã", 1], "n": None, "ok": True})
    assert text == (
        'Sell X\n\n## Context\n- product: Ação\n- tags: ["ã", 1]\n- n: null\n- ok: true'
    )


def test_one_output_is_handed_over_as_it_is() -> None:
    assert handed_over([A]) == "first"


def test_several_outputs_name_their_agents() -> None:
    assert handed_over([A, B]) == ("## Result of Ana (a)\nfirst\n\n## Result of Bo (b)\nsecond")


def test_everything_combined_stands_under_headings() -> None:
    assert combined("Sell X", {"k": "v"}, [A, B]) == (
        "## Task\nSell X\n\n## Context\n- k: v\n\n"
        "## Result of Ana (a)\nfirst\n\n## Result of Bo (b)\nsecond"
    )
    assert combined("Sell X", {}, []) == "## Task\nSell X"
