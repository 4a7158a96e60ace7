"""The command line. Typer lives here and nowhere else; every error ends here, in one line and an exit code."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import Any

import typer

from datafetch import __version__
from datafetch.errors import DatafetchError, RecipeError, UnknownName, UsageError


def main() -> None:
    """Entry point of `datafetch` and `python -m datafetch`. Never returns: exits with the code of contract.md."""
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run one command line and say what went wrong, if anything; what comes back is the exit code."""
    from datafetch.cli.commands import app

    command = typer.main.get_command(app)
    try:
        result = command.main(args=args, prog_name="datafetch", standalone_mode=False)
    except DatafetchError as error:
        return _fail(error, args)
    except KeyboardInterrupt:
        print("interrupted: run the same command again to go on", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output went away, as `head` does. Nothing is left to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        from datafetch.store.files import as_user_error

        return _fail(as_user_error(error, error.filename or "."), args)
    except typer.Exit as leave:
        return leave.exit_code
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # typer's own click has no public name for it
            print(error.ctx.get_help(), file=sys.stderr)  # type: ignore[attr-defined]
            return UsageError.exit_code
        return _fail(_usage(error) if hasattr(error, "format_message") else _bug(error), args)
    return result if isinstance(result, int) else 0


def _fail(error: DatafetchError, args: list[str]) -> int:
    for issue in error.issues if isinstance(error, RecipeError) else ():
        print(f"error: {issue}", file=sys.stderr)
    if not isinstance(error, RecipeError):
        print(f"error: {error}", file=sys.stderr)
    if not error.hint and isinstance(error, UsageError | UnknownName):
        words = itertools.takewhile(lambda word: not word.startswith("-"), args)
        error.hint = f"{' '.join(('datafetch', *words))} --help shows what it takes"
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    if "--json" in args:
        _print_failure(error, args)
    return error.exit_code


def _print_failure(error: DatafetchError, args: list[str]) -> None:
    import json

    if error.report is not None:
        print(json.dumps(error.report.as_json(), ensure_ascii=False))
        return
    problem = {"name": "", "why": str(error), "url": "", "hint": error.hint}
    counts = dict.fromkeys(("ok", "missing", "failed", "rejected", "skipped", "total"), 0)
    nothing = {"transferred": 0, "on_disk": 0, "peak": 0}
    document = {"dataset": "", "root": "", "status": "failed", "exit_code": error.exit_code, "counts": counts}
    print(json.dumps(document | {"bytes": nothing, "seconds": 0, "tree_digest": "", "problems": [problem]}))


def _usage(error: Any) -> UsageError:
    message = error.format_message().rstrip(".")
    where = error.ctx.command_path if getattr(error, "ctx", None) else ""
    hint = f"{where} --help shows what it takes" if where else ""
    return UsageError(f"{message[:1].lower()}{message[1:]}", hint)


def _bug(error: Exception) -> DatafetchError:
    if os.environ.get("DATAFETCH_DEBUG"):
        raise error
    return DatafetchError(
        f"{type(error).__name__}: {error}: this is a bug in datafetch {__version__}",
        hint="run it again with DATAFETCH_DEBUG=1 and report what it prints",
    )
