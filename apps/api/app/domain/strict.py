"""A bound of fields that are read from JSON."""

from collections.abc import Callable
from typing import Any


class Strict:
    """
    In `Annotated`: nothing else is converted to the type. `true` is no number, and `"5"` neither.

    What Pydantic's own marker does, which the domain does not import.
    """

    def __get_pydantic_core_schema__(
        self, source: type, handler: Callable[[type], dict[str, Any]]
    ) -> dict[str, Any]:
        return {**handler(source), "strict": True}
