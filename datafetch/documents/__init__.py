"""Documents that tell of pictures: written to fit what stands in the tree, gathered, combined, made for training."""
