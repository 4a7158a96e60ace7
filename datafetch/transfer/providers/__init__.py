"""Sources that need more than a GET."""
