"""Names in, placements out; and the built tree with its manifest."""
