"""What the processes do by which a twin is made, and a twin itself (design §5.3)."""
