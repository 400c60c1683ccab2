"""Pages and their arithmetic."""

import pytest

from app.common.paging import Page
from app.schemas.paging import Pagination


@pytest.mark.parametrize(
    ("page", "limit", "offset"),
    [(1, 10, 0), (2, 10, 10), (3, 1, 2), (2**31 - 1, 100, 214748364600)],
)
def test_offset_counts_what_stands_before(page: int, limit: int, offset: int) -> None:
    assert Page(page, limit).offset == offset


@pytest.mark.parametrize(
    ("total", "limit", "pages"), [(0, 10, 0), (1, 10, 1), (10, 10, 1), (11, 10, 2), (25, 10, 3)]
)
def test_pages_are_rounded_up(total: int, limit: int, pages: int) -> None:
    assert Pagination.of(Page(1, limit), total).model_dump() == {
        "page": 1,
        "limit": limit,
        "total": total,
        "pages": pages,
    }
