"""Routers that know from a path that none of their routes is for it."""

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class Section(APIRouter):
    """
    Routes below one prefix.

    FastAPI asks routers one after another, and each tries the patterns of all its routes: for
    most requests that took longer than the pattern that matched, and what it led to.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # Below whatever else it was included, its prefix is in the path.
        if self.prefix not in scope["path"]:
            return Match.NONE, {}
        return super().matches(scope)
