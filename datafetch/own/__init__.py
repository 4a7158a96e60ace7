"""A person's own pictures: sorted into splits and classes, paired with their masks, and staged as any dataset is."""
