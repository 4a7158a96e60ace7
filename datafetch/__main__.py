"""`python -m datafetch`."""

from datafetch.cli import main

main()
