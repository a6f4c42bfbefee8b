"""The oracle: what a program under refork does is compared with what plain python does."""
