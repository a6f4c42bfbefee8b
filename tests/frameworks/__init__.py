"""The real frameworks under refork: real processes, real requests, real saves."""
