"""What refork costs and what it saves, measured from outside with the real command line."""
