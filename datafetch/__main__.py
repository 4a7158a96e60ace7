"""The entry point of `datafetch` and `python -m datafetch`: Ctrl-C is made safe before anything else is loaded."""

import gc
import os
import signal
import sys
from types import FrameType

_SELDOM = 10_000, 10, 10  # things made before the collector looks at them, and how often at those that stay


def main() -> None:
    """Never returns: exits with the code of contract.md."""
    # Members and rows are held by the hundred thousand and never in cycles: looking at them often finds nothing.
    gc.set_threshold(*_SELDOM)
    _speak_utf8()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it ignored
        signal.signal(signal.SIGINT, _interrupted)
    try:
        from datafetch.cli import main as run

        run()
    except KeyboardInterrupt:  # before there was a command to end
        sys.exit(130)


def _speak_utf8() -> None:
    """Begin anew in Python's UTF-8 mode where the locale has another encoding: names of files are the same on every
    machine then, and so is what is made of them. Python does so by itself for the locales C and POSIX only.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _interrupted(number: int, frame: FrameType | None) -> None:
    """KeyboardInterrupt, but during an import the plain end by the signal: nothing has been begun then.

    Raised inside the import system, the exception may be dropped and leave its lock held for ever: the next import
    by a thread would hang the run.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
