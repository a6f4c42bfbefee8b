"""Reloads under load: nothing refused, nothing reset, nothing stale, no server error."""
