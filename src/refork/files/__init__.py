"""The files a program depends on: who watches them, and which of their changes count."""
