"""A dataset as one page to look at: what is there, what is not, and why."""
