"""A hook of MkDocs: the page of the HTTP API is written from docs/openapi.json when it is built."""

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

PAGE = "reference.md"


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """The page's own text, and below it every operation, by tag."""
    if page.file.src_uri != PAGE:
        return markdown
    document = json.loads((Path(config.docs_dir) / "openapi.json").read_text())
    return "\n".join([markdown, *_operations(document)])


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"\n## {tag['name']}\n\n{tag['description']}\n"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"][0] == tag["name"]:
                    yield from _operation(f"{method.upper()} {path}", operation)


def _operation(address: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"\n### {operation['summary']} {{ #{operation['operationId']} }}\n\n`{address}`\n"
    yield operation.get("description", "") + "\n"
    if parameters := operation.get("parameters"):
        yield "| Parameter | In | Type | Meaning |\n| --- | --- | --- | --- |"
        for p in parameters:
            name = f"`{p['name']}`" + (" (required)" if p.get("required") else "")
            kind = _type(p["schema"]).replace("|", "\\|")
            meaning = " ".join(p.get("description", "").split())
            yield f"| {name} | {p['in']} | {kind} | {meaning} |"
        yield ""
    if body := operation.get("requestBody"):
        content = next(iter(body["content"].values()))
        yield f"Body: {_type(content['schema'])}\n"
        yield from _example("Example of the body", "json", content)
    yield "| Answer | Meaning |\n| --- | --- |"
    for status, response in operation["responses"].items():
        contents = response.get("content", {})
        codes = contents.get("application/problem+json", {}).get("examples", {})
        links = ", ".join(f"[`{code}`](errors.md#{code})" for code in codes)
        shapes = [_type(c["schema"]) for c in contents.values() if c.get("schema")]
        meaning = links or ", ".join(shapes) or response["description"]
        yield f"| {status} | {meaning} |".replace(" | null", "")
    yield ""
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            if "example" in content:
                language = "json" if media_type == "application/json" else "text"
                yield from _example(
                    f"Example of answer {status}, `{media_type}`", language, content
                )


def _example(title: str, language: str, content: dict[str, Any]) -> Iterator[str]:
    """Folded, so that the page can still be looked through."""
    example = content["example"]
    text = example if language == "text" else json.dumps(example, indent=2)
    block = f"```{language}\n{text.rstrip()}\n```"
    yield f'??? example "{title}"\n\n{indent(block, "    ")}\n'


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(c) for c in choices if c != {"type": "null"})
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")
