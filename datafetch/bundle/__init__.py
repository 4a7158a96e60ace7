"""Bundles: all that datasets are built from, in one folder that goes where no network is, or serves a cluster."""
