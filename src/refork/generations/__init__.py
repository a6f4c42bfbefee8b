"""One generation after the other: how a program is made, let go, and ended."""
