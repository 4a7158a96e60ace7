"""The health of recipes: what each address answers today, without getting its file."""
