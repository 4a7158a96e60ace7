"""The entry point of `datafetch` and `python -m datafetch`, so small that Ctrl-C has no time to meet it unready."""

import sys


def main() -> None:
    """Never returns: exits with the code of contract.md."""
    try:
        from datafetch.cli import main as run

        run()
    except KeyboardInterrupt:  # while the rest was still being loaded
        sys.exit(130)


if __name__ == "__main__":
    main()
