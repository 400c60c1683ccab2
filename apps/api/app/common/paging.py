"""One page of a list, as asked for and as found."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: pages count from 1."""

    page: int = 1
    limit: int = 10

    @property
    def offset(self) -> int:
        """How many items stand before this page."""
        return (self.page - 1) * self.limit


@dataclass(frozen=True, slots=True)
class Paged(Generic[T]):
    """The items of one page, and how many there are on all pages."""

    items: tuple[T, ...]
    total: int
