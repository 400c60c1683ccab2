"""Suna's HTTP API in two dialects, `/api` (initiate) and `/v1` (start), quirks included."""
