"""The loop, and what it does with each of its sources."""
