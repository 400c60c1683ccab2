"""The site is built strictly, loads nothing from elsewhere, and says the same in both languages."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks

_LOADS = {"script": "src", "img": "src", "iframe": "src", "link": "href"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert built.returncode == 0, built.stderr
    return folder


class Loads(HTMLParser):
    """Addresses that a browser fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in _LOADS and values.get("rel") != "canonical":
            self.found.append(values.get(_LOADS[tag]) or "")


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        assert len(loads.found) > 3
        assert [a for a in loads.found if "//" in a] == []
    for style in site.rglob("*.css"):
        assert re.findall(r"url\(\s*['\"]?(?:https?:)?//", style.read_text()) == []


@pytest.mark.slow
def test_the_reference_page_has_every_operation(site: Path) -> None:
    text = (site / "reference.html").read_text()
    document = (ROOT / "docs" / "openapi.json").read_text()
    names = re.findall(r'"operationId": "(\w+)"', document)
    assert len(names) > 30
    assert [n for n in names if f'id="{n}"' not in text] == []


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "pt").glob("*.md")), ids=lambda page: page.name
)
def test_a_translation_has_the_code_of_its_original(page: Path) -> None:
    original = page.parents[1] / page.name

    def shown(of: Path) -> list[tuple[str, str, list[str]]]:
        return [(b.language, b.code, sorted(b.marks)) for b in blocks(of)]

    assert shown(page) == shown(original)
    assert shown(page)
