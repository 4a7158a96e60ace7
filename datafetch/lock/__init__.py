"""The lock file: what a dataset was made of, so that another run makes the same or says what is another."""
