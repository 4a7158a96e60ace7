"""YAML in, Recipe out: strict, pure but for the registry."""
