"""
Ways to run agents one after another, or at once: what Renum is measured beside.

Each module is a program that runs in an environment of its own (`environments.py`), with the same
HTTP client, the same agent service and a database of its own in the same PostgreSQL.
"""
