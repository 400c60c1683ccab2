"""Templates of an agent's input: what one uses, and how it can go wrong. Pure words; rendering is
behind the port `Templates`."""

from collections.abc import Callable
from dataclasses import dataclass

from app.domain.errors import RenumError

#: Characters of a template.
MAX_TEMPLATE = 20_000


@dataclass(frozen=True, slots=True)
class TemplateUse:
    """What a template asks for, found without rendering it."""

    #: Keys of the agents whose results it names, each once.
    sources: tuple[str, ...] = ()
    #: Why it can never be rendered; None when it can.
    fault: str | None = None


Examine = Callable[[str], TemplateUse]


class TemplateFailed(RenumError):
    """A template could not be rendered with what the run had: something undefined, too long, too
    slow. Trying again changes nothing."""

    code = "template_failed"
    title = "The agent's input template failed"
