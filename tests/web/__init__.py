"""The error page, live reload, injection and `refork serve`, seen from their clients."""
