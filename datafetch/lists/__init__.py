"""Lists that artifacts hold: where they lie, their rows, what is sorted by them, and where their pictures stand."""
