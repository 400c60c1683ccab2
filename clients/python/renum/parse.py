"""From JSON to a model, or to an error that a person understands."""

from typing import TypeVar

from pydantic import ValidationError

from renum.errors import UnexpectedAnswer
from renum.models import Answer

A = TypeVar("A", bound=Answer)


def parse(model: type[A], answer: object) -> A:
    """
    Raises:
        UnexpectedAnswer: naming the first thing that does not fit.
    """
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise UnexpectedAnswer(
            f"the server's {model.__name__} is not as expected: {where}: {first['msg']}"
        ) from error
