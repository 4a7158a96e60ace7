"""datafetch: vision datasets from recipes, verified and laid out for training code."""

__version__ = "0.1.0"
