"""An agent's answer, put together from what its thread holds (suna.md §1.6)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.infra.suna.answers import assemble

USER = {"type": "user", "content": {"role": "user", "content": "Do it"}}


def said(content: object, **metadata: object) -> dict[str, object]:
    return {"type": "assistant", "content": content, "metadata": metadata}


def xml(name: str, text: str, prose: str = "") -> str:
    return (
        f'{prose}<function_calls><invoke name="{name}"><parameter name="text">{text}</parameter>'
        "</invoke></function_calls>"
    )


def native(name: str, text: str, prose: str = "") -> dict[str, object]:
    call = {"function_name": name, "arguments": {"text": text}, "tool_call_id": "1"}
    return {"type": "assistant", "metadata": {"text_content": prose, "tool_calls": [call]}}


PLAIN = {"role": "assistant", "content": "Done."}
CASES: dict[str, tuple[list[object], str, bool]] = {
    "an object": ([USER, said(PLAIN)], "Done.", False),
    "a text that holds it": ([USER, said(json.dumps(PLAIN))], "Done.", False),
    "encoded twice": ([USER, said(json.dumps(json.dumps(PLAIN)))], "Done.", False),
    "parts": (
        [USER, said({"content": [{"type": "text", "text": "Do"}, {"text": "ne."}, {"x": 1}]})],
        "Done.",
        False,
    ),
    "an answer that is itself JSON": (
        [USER, said({"role": "assistant", "content": '{"score": 1}'})], '{"score": 1}', False,
    ),
    "an answer that is itself JSON with a content": (
        [USER, said({"role": "assistant", "content": '{"content": "x", "title": "y"}'})],
        '{"content": "x", "title": "y"}',
        False,
    ),
    "a list that is the answer": ([USER, said({"content": "[1, 2]"})], "[1, 2]", False),
    "the text in the metadata only": ([USER, said(None, text_content="Done.")], "Done.", False),
    "metadata as a text": (
        [USER, {"type": "assistant", "metadata": json.dumps({"text_content": "Done."})}],
        "Done.",
        False,
    ),
    "complete, as XML": (
        [USER, said({"content": xml("complete", "All done.")})], "All done.", False,
    ),
    "complete, after some prose": (
        [USER, said({"content": xml("complete", "All done.", "Here it is.\n")})],
        "Here it is.\n\nAll done.",
        False,
    ),
    "other tools are left out": (
        [USER, said({"content": xml("web_search", "bottles", "I look.")})], "I look.", False,
    ),
    "a block that was cut off": (
        [USER, said({"content": 'Text.<function_calls><invoke name="web_search"><param'})],
        "Text.",
        False,
    ),
    "asking, as XML": ([USER, said({"content": xml("ask", "Which?")})], "Which?", True),
    "complete, in the older style": (
        [USER, said({"content": "Well. <complete>Done.</complete>"})], "Well.\n\nDone.", False,
    ),
    "asking, in the older style": (
        [USER, said({"content": '<ask attachments="a.md">Which?</ask>'})], "Which?", True,
    ),
    "complete, as a native call": (
        [USER, native("complete", "Done.", "Well.")], "Well.\n\nDone.", False,
    ),
    "asking, as a native call": ([USER, native("ask", "Which?")], "Which?", True),
    "handing over the browser": (
        [USER, native("web_browser_takeover", "Log in, please.")], "Log in, please.", True,
    ),
    "a native call with arguments as a text": (
        [
            USER,
            said(
                {
                    "content": "",
                    "tool_calls": [
                        {"function": {"name": "complete", "arguments": '{"text": "Done."}'}}
                    ],
                }
            ),
        ],
        "Done.",
        False,
    ),
    "the last one with a text": (
        [USER, said(PLAIN), said({"content": xml("web_search", "x")}), said({"content": " "})],
        "Done.",
        False,
    ),
    "what came before the last question is old": ([said(PLAIN), USER], "", False),
    "status and tool messages say nothing": (
        [USER, said(PLAIN), {"type": "tool", "content": "x"}, {"type": "status", "content": "y"}],
        "Done.",
        False,
    ),
    "what cannot be stored is replaced": (
        [USER, said({"content": "a\0b\ud800"})], "a\ufffdb?", False,
    ),
    "no messages": ([], "", False),
    "no objects": ([None, 1, "x", []], "", False),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_answer(case: str) -> None:
    messages, text, needs_input = CASES[case]
    answer = assemble(messages)
    assert (answer.text, answer.needs_input) == (text, needs_input)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "content",
                    "metadata",
                    "text",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
MESSAGE = st.builds(
    lambda kind, content, metadata: {"type": kind, "content": content, "metadata": metadata},
    st.sampled_from(["assistant", "user", "tool"]),
    JSON | JSON.map(json.dumps) | st.text(alphabet='<>/invokeparmt=" completask_functios\n'),
    JSON | JSON.map(json.dumps),
)


@given(st.lists(JSON | MESSAGE, max_size=6))
def test_whatever_suna_sends_there_is_an_answer_that_can_be_stored(messages: list[object]) -> None:
    answer = assemble(messages)
    assert "\0" not in answer.text
    answer.text.encode()
