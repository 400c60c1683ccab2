"""The Jinja2 that users may write: text only, nothing undefined, no way out of the sandbox."""

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


def make_environment() -> ImmutableSandboxedEnvironment:
    """Without a loader: there is nothing to include, import or extend."""
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # plain text for an agent, never HTML
        keep_trailing_newline=True,
    )
