"""How an answer says which page of a list it is."""

from typing import Self

from pydantic import Field

from app.common.paging import Page
from app.schemas.base import Answer


class Pagination(Answer):
    """Where this page stands in the whole list."""

    page: int = Field(examples=[1])
    limit: int = Field(examples=[10])
    total: int = Field(description="Items on all pages.", examples=[25])
    pages: int = Field(examples=[3])

    @classmethod
    def of(cls, page: Page, total: int) -> Self:
        """An empty list has no pages."""
        return cls(page=page.page, limit=page.limit, total=total, pages=-(-total // page.limit))
