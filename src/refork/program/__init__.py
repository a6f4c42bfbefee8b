"""What lives inside the user's process. Standard library only, and as little of it as can be."""
