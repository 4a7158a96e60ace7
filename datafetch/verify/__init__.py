"""The published tree against its manifest: what is missing, damaged, changed, or not ours."""
