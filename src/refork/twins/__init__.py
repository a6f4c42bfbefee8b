"""Twins: what comes after a hot file and does not depend on it, imported ahead (design §5.3)."""
