"""(Recipe, Choice, Inventory) in, Plan out: pure."""
