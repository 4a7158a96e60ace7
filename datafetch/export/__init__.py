"""A dataset in forms that other tools check: SHA256SUMS, and bags after RFC 8493."""
