"""The demo agents: deterministic work on text, no model and no network."""
