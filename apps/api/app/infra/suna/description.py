"""What a server says of itself in its OpenAPI document. Pure."""

import re
from collections.abc import Iterator, Mapping

_PARAMETER = re.compile(r"\{[^}]*\}")


def post_operations(document: object) -> dict[str, frozenset[str]]:
    """
    The paths that can be POSTed to, parameters in them written `{}`, each with the names of all
    that may be sent: headers and queries, and the fields of its bodies.

    A document that is none says nothing.
    """
    found = {}
    for path, item in _items(_get(document, "paths")):
        operation = _get(item, "post")
        if isinstance(operation, Mapping):
            names = frozenset(_names(operation, document))
            found[_PARAMETER.sub("{}", path)] = names
    return found


def _names(operation: Mapping[str, object], document: object) -> Iterator[str]:
    parameters = operation.get("parameters")
    for parameter in parameters if isinstance(parameters, list) else ():
        name = _get(_resolved(parameter, document), "name")
        if isinstance(name, str):
            yield name
    for _, body in _items(_get(operation, "requestBody", "content")):
        for name, _ in _items(_get(_resolved(_get(body, "schema"), document), "properties")):
            yield name


def _resolved(part: object, document: object) -> object:
    """What a part refers to, where it is a reference within the document (`#/a/b/c`)."""
    reference = _get(part, "$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        return _get(document, *reference[2:].split("/"))
    return part


def _get(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _items(value: object) -> list[tuple[str, object]]:
    return [(str(k), v) for k, v in value.items()] if isinstance(value, Mapping) else []
