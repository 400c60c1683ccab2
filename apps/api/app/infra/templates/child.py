"""
Renders one template and ends. Runs as a program of its own, so that whatever a template does can
be ended by ending the process.

Standard input: JSON `{"template", "facts", "max_chars", "memory_bytes", "cpu_s"}`. Standard
output: JSON `{"text"}` or `{"fault"}`. Imports nothing of the application: it has to start fast.
"""

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from environment import make_environment  # type: ignore[import-not-found]  # beside this file
from jinja2 import TemplateError, UndefinedError
from jinja2.exceptions import SecurityError

_DICT = re.compile(r"'[^']*(dict|_Result) object' has no attribute")


class _Result(dict[str, Any]):
    """A result whose `json` is its output, parsed when it is asked for."""

    def __missing__(self, name: str) -> Any:  # noqa: ANN401  JSON
        if name == "json" and isinstance(self.get("output"), str):
            try:
                return json.loads(self["output"])
            except (ValueError, RecursionError):
                raise UndefinedError("a result's output is not JSON") from None
        raise KeyError(name)


def main() -> None:
    asked = json.load(sys.stdin)
    _limit(asked["memory_bytes"], asked["cpu_s"])
    try:
        said = {"text": _render(asked["template"], asked["facts"], asked["max_chars"])}
    except SecurityError as error:
        said = {"fault": f"it does what templates may not do: {error}"}
    except UndefinedError as error:
        said = {"fault": _DICT.sub("there is no", str(error))}
    except TemplateError as error:
        said = {"fault": str(error)}
    except MemoryError:
        said = {"fault": "it needs too much memory"}
    except RecursionError:
        said = {"fault": "it is nested too deeply"}
    except Exception as error:  # noqa: BLE001  expressions can raise anything
        said = {"fault": f"{type(error).__name__}: {error}"}
    json.dump(said, sys.stdout)


def _render(template: str, facts: Mapping[str, Any], max_chars: int) -> str:
    results = {key: _Result(result) for key, result in facts["results"].items()}
    compiled = make_environment().from_string(template)
    pieces, length = [], 0
    for piece in compiled.generate({**facts, "results": results}):
        pieces.append(piece)
        length += len(piece)
        if length > max_chars:
            raise TemplateError(f"its text is longer than {max_chars:,} characters")
    return "".join(pieces)


def _limit(memory_bytes: int, cpu_s: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows: the parent's limit of time is left
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))


if __name__ == "__main__":
    main()
