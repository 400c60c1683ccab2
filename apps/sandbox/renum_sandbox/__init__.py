"""Suna and Supabase Auth on loopback: for development, demonstrations and tests of Renum."""

__version__ = "1.0.0"
