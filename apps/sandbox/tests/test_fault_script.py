"""The language of `--script`, and the plan that it makes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renum_sandbox.fault_script import Item, ScriptError, parse, plan
from renum_sandbox.faults import Fault, Faults, Operation, natural, possible
from renum_sandbox.testing import running_sandbox


@st.composite
def items(draw: st.DrawFn) -> Item:
    operation = draw(st.sampled_from(sorted(Operation)))
    fault = draw(st.sampled_from(sorted(possible(operation))))
    at = draw(st.none() | st.integers(1, 999_999_999))
    times = draw(st.none() | st.integers(1, 10_000))
    return Item(operation, fault, at, times)


def planned(script: str) -> Faults:
    faults = Faults()
    plan(parse(script), faults)
    return faults


def taken(faults: Faults, operation: Operation, calls: int) -> list[str]:
    return [getattr(faults.take(operation), "value", "") for _ in range(calls)]


class TestParser:
    @given(st.lists(items(), min_size=1), st.sampled_from([",", ", ", " ,\n"]))
    def test_what_is_written_is_read(self, script: list[Item], comma: str) -> None:
        assert parse(comma.join(map(str, script))) == script

    @given(st.sampled_from(sorted(Fault)))
    def test_a_fault_alone_is_the_next_call_of_its_natural_operation(self, fault: Fault) -> None:
        assert parse(fault) == [Item(natural(fault), fault)]

    @given(st.text(st.sampled_from("429xask@:,* -0startüé")) | st.text())
    def test_any_text_is_read_or_refused_in_one_line(self, text: str) -> None:
        try:
            said = "".join(map(str, parse(text)))
        except ScriptError as error:
            said = str(error)
        assert len(said.splitlines()) <= 1

    @pytest.mark.parametrize("fault", Fault)
    def test_no_fault_looks_like_a_repetition(self, fault: Fault) -> None:
        assert not re.search(r"x(\d+|\*)$", fault)

    @pytest.mark.parametrize("blank", ["", "  ", "\n"])
    def test_a_blank_script_plans_nothing(self, blank: str) -> None:
        assert parse(blank) == []

    @pytest.mark.parametrize(
        ("script", "says"),
        [
            ("429,,slow", "'': an item is [OPERATION:]FAULT[@CALL][xTIMES]"),
            ("429@", "'429@': an item is"),
            ("slow@2@3", "'slow@2@3': an item is"),
            ("429,tea", "'tea': no such fault; possible: 401, 402-limit,"),
            ("tea:429", "'tea:429': no such operation; possible: start, status,"),
            ("stop:ask", "'stop:ask': fault ask is not possible on stop; possible: 401,"),
            ("429@0", "'429@0': calls are counted from 1"),
            ("429x0", "'429x0': a fault happens 1 to 10000 times, or x*"),
            ("429x10001", "'429x10001': a fault happens 1 to 10000 times"),
        ],
    )
    def test_mistakes_name_the_item_and_what_is_possible(self, script: str, says: str) -> None:
        with pytest.raises(ScriptError, match=re.escape(says)):
            parse(script)


class TestPlan:
    def test_items_without_a_call_follow_each_other(self) -> None:
        faults = planned("429,500x2,ask")
        assert taken(faults, Operation.START, 5) == ["429", "500", "500", "ask", ""]

    def test_calls_are_counted_from_the_start_of_the_sandbox(self) -> None:
        faults = planned("drop-stream@3")
        assert taken(faults, Operation.STREAM, 4) == ["", "", "drop-stream", ""]

    def test_what_waits_for_a_call_keeps_it(self) -> None:
        faults = planned("429@2,500x3")
        assert faults.pending() == {"start": ["500", "429", "500", "500"]}
        assert taken(faults, Operation.START, 5) == ["500", "429", "500", "500", ""]

    def test_always_begins_where_it_says_and_yields_to_what_is_planned(self) -> None:
        faults = planned("ask@4,500@3x*")
        assert faults.pending() == {"start": ["ask@4", "500@3x*"]}
        assert taken(faults, Operation.START, 6) == ["", "", "500", "ask", "500", "500"]

    def test_always_from_the_next_free_call(self) -> None:
        faults = planned("ask,500x*")
        assert faults.pending() == {"start": ["ask", "500x*"]}
        assert taken(faults, Operation.START, 4) == ["ask", "500", "500", "500"]

    def test_operations_are_counted_apart(self) -> None:
        faults = planned("status:500@2,stop:503")
        assert taken(faults, Operation.STATUS, 1) == [""]
        assert taken(faults, Operation.STOP, 1) == ["503"]
        assert taken(faults, Operation.STATUS, 1) == ["500"]

    @pytest.mark.parametrize(
        ("script", "says"),
        [
            ("429@3,start:500@2x2", "'start:500@2x2': call 3 of start is taken by 429"),
            ("500x*,429", "'start:429': all calls of start are taken by 500"),
            ("500x*,429@5x*", "'start:429@5x*': all calls of start are taken by 500"),
        ],
    )
    def test_two_items_cannot_have_one_call(self, script: str, says: str) -> None:
        faults = Faults()
        with pytest.raises(ScriptError, match=re.escape(says)):
            plan(parse(script), faults)
        assert faults.pending() == {}

    def test_a_call_that_is_over_cannot_be_planned(self) -> None:
        faults = planned("")
        taken(faults, Operation.STOP, 2)
        with pytest.raises(ScriptError, match="call 2 of stop is over: there were 2"):
            plan(parse("ignore-stop@2"), faults)
        plan(parse("ignore-stop@3"), faults)

    def test_what_is_cleared_is_still_counted(self) -> None:
        faults = planned("500x*,ask@1")
        taken(faults, Operation.START, 2)
        faults.clear()
        assert faults.pending() == {}
        plan(parse("429@4"), faults)
        assert taken(faults, Operation.START, 2) == ["", "429"]


class TestRunning:
    def test_a_sandbox_starts_with_a_script_and_takes_another(self, suna_of) -> None:
        with running_sandbox(script="health:503@2") as sandbox:
            suna = suna_of(sandbox)
            statuses = [suna.call("health").status_code for _ in range(3)]
            assert statuses == [200, 503, 200]
            sandbox.script("health:500, health:502@6")
            statuses = [suna.call("health").status_code for _ in range(3)]
            assert statuses == [500, 200, 502]

    def test_a_mistake_plans_nothing(self, sandbox, http) -> None:
        with pytest.raises(ValueError, match="'tea': no such fault"):
            sandbox.script("429,tea")
        assert http.get("/sandbox/faults").json() == {"faults": {}}
        answer = http.post("/sandbox/script", json={"script": "tea"})
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("in the script, 'tea': no such fault")

    def test_a_mistake_keeps_a_sandbox_from_starting(self) -> None:
        with pytest.raises(ScriptError, match="'tea'"), running_sandbox(script="tea"):
            pass
