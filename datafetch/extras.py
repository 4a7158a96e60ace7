"""Libraries that only some recipes need: extras of the package, asked for before the first byte is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from datafetch.errors import UsageError


@dataclass(frozen=True, slots=True)
class Extra:
    name: str  # as in datafetch[name]
    library: str  # what is imported


HDF5 = Extra("hdf5", "h5py")
PARQUET = Extra("parquet", "pyarrow")


def demand(extra: Extra, what: str) -> None:
    """UsageError, saying what to install, when the library that `what` needs is not here."""
    if find_spec(extra.library) is None:
        raise UsageError(
            f"{what} needs {extra.library}, which is not installed",
            hint=f"pip install 'datafetch[{extra.name}]'",
        )
