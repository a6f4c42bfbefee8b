"""File events become hints: one module a back-end, one contract for all (``base.py``)."""
