"""Suna's HTTP API in three eras, and a gateway before it, quirks included."""
