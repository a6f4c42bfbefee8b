"""New function bodies in a parked process: whether they may be put there, and how it is checked (design §5.1)."""
