"""Input templates in Jinja2: examined here, rendered in a process of their own."""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID
from weakref import WeakValueDictionary

from jinja2 import TemplateSyntaxError, nodes
from pydantic_core import to_json

from app.common.text import storable
from app.domain.templates import MAX_TEMPLATE, TemplateFailed, TemplateUse
from app.infra.templates.environment import make_environment

#: Characters of a rendered text.
MAX_RENDERED = 4_000_000
_MEMORY_BYTES = 512 * 1024 * 1024
#: How much a text may grow in the child's memory: JSON, then Python, then the result.
_GROWTH = 12
_AT_ONCE = 2
_NAMES = {"initial_prompt", "context", "results"}
#: What Jinja2 itself gives inside of loops and macros.
_OWN_NAMES = {"loop", "caller", "varargs", "kwargs"}
_METHODS = ("items", "keys", "values", "get")
_CHILD = Path(__file__).with_name("child.py")


class JinjaTemplates:
    """
    The `Templates` port.

    Users write templates, so each one is rendered in a new process, with nothing of our
    environment, that is ended when it takes too long. That costs about 0.1 s of another core.
    """

    def __init__(self, *, limit_s: float = 10.0) -> None:
        """`limit_s` is the time that one rendering may take, its process's start included."""
        self._limit_s = limit_s
        self._environment = make_environment()
        self._room = asyncio.Semaphore(_AT_ONCE)
        # A user has one place in the line for the room, however many templates: a lock as long as
        # one of them waits for it.
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    def examine(self, text: str) -> TemplateUse:
        if len(text) > MAX_TEMPLATE:
            return TemplateUse(fault=f"It is longer than {MAX_TEMPLATE:,} characters.")
        if not text.strip():
            return TemplateUse(fault="It is empty.")
        # Parsed only: compiling computes constants, and `'a' * 10**10` is one.
        try:
            tree = self._environment.parse(text)
            return TemplateUse(
                sources=tuple(dict.fromkeys(_keys(tree))), fault=self._fault_of(tree)
            )
        except TemplateSyntaxError as error:
            return TemplateUse(fault=f"Line {error.lineno}: {error.message}")
        except (RecursionError, MemoryError, OverflowError, ValueError):
            return TemplateUse(fault="It is nested too deeply, or a number in it is too long.")

    def _fault_of(self, tree: nodes.Template) -> str | None:
        known = self._environment
        for node in tree.find_all(nodes.Node):
            match node:
                case nodes.Include() | nodes.Import() | nodes.FromImport() | nodes.Extends():
                    fault = "there are no other templates to include, import or extend"
                case nodes.Filter() if node.name not in known.filters:
                    fault = f"there is no filter {node.name!r}"
                case nodes.Test() if node.name not in known.tests:
                    fault = f"there is no test {node.name!r}"
                case _:
                    continue
            return f"Line {node.lineno}: {fault}."
        written = {n.name for n in tree.find_all(nodes.Name) if n.ctx != "load"}
        written.update(m.name for m in tree.find_all(nodes.Macro))
        here = _NAMES | _OWN_NAMES | written | known.globals.keys()
        for name in tree.find_all(nodes.Name):
            if name.name not in here:
                return (
                    f"Line {name.lineno}: there is no {name.name!r}; a template has "
                    "initial_prompt, context and results."
                )
        return None

    async def render(self, text: str, facts: Mapping[str, object], *, user_id: UUID) -> str:
        body = to_json(facts)
        asked = to_json(
            {
                "template": text,
                "facts": facts,
                "max_chars": MAX_RENDERED,
                "memory_bytes": _MEMORY_BYTES + _GROWTH * len(body),
                # A backstop, should this process end before the child.
                "cpu_s": max(1, round(self._limit_s)),
            }
        )
        turn = self._turns.setdefault(user_id, asyncio.Lock())
        async with turn, self._room:
            said = await self._ask(asked)
        if "text" not in said:
            raise TemplateFailed(f"The input template failed: {said['fault'].rstrip('.')}.")
        return storable(said["text"])

    async def _ask(self, asked: bytes) -> dict[str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # Nothing of the environment or the user's site; `-I` would hide the child's folder.
            "-E",
            "-s",
            _CHILD,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(self._limit_s):
                said, _ = await process.communicate(asked)
        except TimeoutError:
            return {"fault": f"it takes longer than {self._limit_s:g} s"}
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            return {"fault": "it needs too much time or memory"}
        answer: dict[str, str] = json.loads(said)
        return answer


def _keys(tree: nodes.Template) -> Iterator[str]:
    """Keys in `results.<key>` and `results['<key>']`, in order of appearance."""
    # Methods of the mapping, as in `results.items()`, name no agent.
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    for node in tree.find_all(nodes.Expr):
        match node:
            case nodes.Getattr(node=nodes.Name(name="results"), attr=key):
                if key not in _METHODS or id(node) not in called:
                    yield key
            case nodes.Getitem(node=nodes.Name(name="results"), arg=nodes.Const(value=str(key))):
                yield key
