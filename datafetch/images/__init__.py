"""A list of URLs in, checked images out."""
