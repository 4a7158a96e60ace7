"""Runs that nobody watches: when they start, whom they tell, and what starts them."""
