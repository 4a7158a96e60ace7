"""A small dataset, and a server that misbehaves."""
