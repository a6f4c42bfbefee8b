"""The listening sockets of the program, and who answers what comes while one generation follows another."""
