"""Supabase Auth as it really answers: password and refresh grants, JWKS, user, logout."""
