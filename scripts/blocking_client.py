"""
Write the resources of the blocking client, made from those of the async one.

    python scripts/blocking_client.py > clients/python/renum/blocking_resources.py
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

RESOURCES = Path(__file__).parents[1] / "clients/python/renum/resources"
HEADER = '''"""
The API's things without `async`, as in `renum.resources`.

Made by `make client`: change the classes there instead.
"""
'''


def source() -> str:
    """The module, in the house style."""
    modules = {
        path.stem: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(RESOURCES.glob("*.py"))
        if path.stem not in {"__init__", "base"}
    }
    classes = [
        (stem, node)
        for stem, module in modules.items()
        for node in module.body
        if isinstance(node, ast.ClassDef) and _is_resource(node)
    ]
    bodies = [_blocking(node) for _, node in classes]
    used = {
        node.id
        for body in bodies
        for node in ast.walk(ast.parse(body))
        if isinstance(node, ast.Name)
    }
    imports = {"from collections.abc import Iterator", "from renum.loop import Loop"}
    for stem, module in modules.items():
        imports |= set(_imports(stem, module, used))
    imports.add("from renum import resources")
    text = "\n".join([HEADER, *sorted(imports), *bodies])
    for command in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
        text = subprocess.run(
            [
                Path(sys.executable).with_name("ruff"), *command,
                "--stdin-filename", str(RESOURCES.parent / "blocking_resources.py"), "-",
            ],
            input=text, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return text


def _is_resource(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Resource" for base in node.bases)


def _imports(stem: str, module: ast.Module, used: set[str]) -> Iterator[str]:
    """Where the names come from that the signatures use."""
    for node in module.body:
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                if name.name in used:
                    yield f"from {node.module} import {name.name}"
        elif isinstance(node, ast.ClassDef) and node.name in used and not _is_resource(node):
            yield f"from renum.resources.{stem} import {node.name}"


def _blocking(node: ast.ClassDef) -> str:
    doc = ast.get_docstring(node)
    lines = [
        f"class {node.name}:",
        f'    """{doc}"""',
        f"    def __init__(self, loop: Loop, there: resources.{node.name}) -> None:",
        "        self._loop = loop",
        "        self._there = there",
    ]
    for method in node.body:
        if isinstance(method, ast.AsyncFunctionDef) and not method.name.startswith("_"):
            lines += _method(method)
    return "\n".join(lines)


def _method(method: ast.AsyncFunctionDef) -> Iterator[str]:
    answer = ast.unparse(method.returns) if method.returns else "None"
    runner = "iterate" if answer.startswith("AsyncIterator[") else "run"
    given = [argument.arg for argument in method.args.args[1:]]
    given += [f"{argument.arg}={argument.arg}" for argument in method.args.kwonlyargs]
    yield f"    def {method.name}({ast.unparse(method.args)}) -> {answer.removeprefix('Async')}:"
    yield f'        """{ast.get_docstring(method, clean=False)}"""'
    yield f"        return self._loop.{runner}(self._there.{method.name}({', '.join(given)}))"


if __name__ == "__main__":
    sys.stdout.write(source())
