"""What `refork` does besides running a program."""
