"""URL in, verified file out: the only station that speaks HTTP."""
