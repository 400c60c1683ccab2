"""The Jinja2 that users may write: text only, nothing undefined, no way out of the sandbox."""

from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


class _Environment(ImmutableSandboxedEnvironment):
    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401  as Jinja2 has it
        """What a user named comes before the methods of dict: an agent may be called `items`."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def make_environment() -> ImmutableSandboxedEnvironment:
    """Without a loader: there is nothing to include, import or extend."""
    return _Environment(
        undefined=StrictUndefined,
        autoescape=False,  # plain text for an agent, never HTML
        keep_trailing_newline=True,
    )
