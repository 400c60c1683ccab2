"""Renum's API: teams of Suna agents, run durably and watched live."""

__version__ = "1.0.0"
