"""The program behind `refork serve`: a WSGI or ASGI application, with static files."""
