"""The exception tree: every error a user can meet, with its exit code and a hint.

DatafetchError                      1   a bug, or a fault nobody has classified yet
├── UsageError                      2   options that do not go together
├── RecipeError                     2   a recipe that breaks the language; carries every Issue found
├── LayoutMismatch                  2   an archive in which no member fits its recipe's layout
├── UnknownName                     3   no such dataset, choice or value
├── Offline                         5   the network is switched off by --offline
├── Drifted                         4   upstream has no longer what the lock file says (2, 5, 7, 13: `lock.hold`)
├── NeedsPerson                     7   a file to bring, terms to accept, a quota to wait for
├── TransferLimit                   8   --max-transfer reached
├── TimeLimit                      10   --max-duration reached
├── Locked                         11   another run holds the lease
├── NoRoom                         12   no space, no inodes, or the target cannot be written
├── Damaged                        13   verify found damage
├── Interrupted                   130   a signal asked us to stop (143 for SIGTERM)
├── TransferFailed                  5   one transfer ended; `why` says how (4 and 7 for some of them)
├── UnsafeArchive                   5   an archive that breaks a safety rule or is not what it claims
│   └── DamagedArchive                  its bytes are wrong or missing: another copy may be good
└── BadList                         5   a list or a table that cannot be read as its recipe says
    └── BadBrought                  7   a file that a person brought, of which nothing can be made
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the words take longer to load than `--help` should
    from datafetch.model import Why
    from datafetch.report import Report

RUN_AGAIN = "run the same command again to go on: what is here is kept"

# When several exit codes apply, the first of these wins (contract.md).
PRECEDENCE = (130, 143, 1, 2, 3, 12, 11, 10, 8, 13, 7, 4, 5, 6, 0)


def worst(codes: Iterable[int]) -> int:
    """The one exit code that stands for several; 0 for none."""
    return min(codes, key=PRECEDENCE.index, default=0)


class DatafetchError(Exception):
    """One plain line for the user, an exit code for scripts, and what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.report: Report | None = None  # of a run that it ended before anything was done


class UsageError(DatafetchError):
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong in a recipe, with the place to mend."""

    file: str
    line: int  # from 1; 0 when no line can be named
    where: str  # "artifact real, key url"
    message: str

    def __str__(self) -> str:
        # A stranger's file may be named by what moves a cursor.
        file = self.file if self.file.isprintable() else repr(self.file)[1:-1]
        place = f"{file}:{self.line}" if self.line else file
        return f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"


class RecipeError(DatafetchError):
    """A recipe that breaks the language. All issues found are in `issues`; the message is the first."""

    exit_code = 2

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
        super().__init__(f"{issues[0]}{more}", hint="datafetch lint shows every issue of a recipe")
        self.issues = issues


class LayoutMismatch(DatafetchError):
    """No member of an archive fits the layout of its recipe; the message shows what it holds."""

    exit_code = 2


class UnknownName(DatafetchError):
    exit_code = 3


class Offline(DatafetchError):
    exit_code = 5


class Drifted(DatafetchError):
    """What there is differs from what a lock file says; nothing is put in its place."""

    exit_code = 4

    def __init__(self, message: str, hint: str = "", code: int = 4) -> None:
        super().__init__(message, hint)
        self.exit_code = code


class NeedsPerson(DatafetchError):
    exit_code = 7


class TransferLimit(DatafetchError):
    exit_code = 8


class TimeLimit(DatafetchError):
    exit_code = 10


class Locked(DatafetchError):
    exit_code = 11


class NoRoom(DatafetchError):
    exit_code = 12


class Damaged(DatafetchError):
    exit_code = 13


class Interrupted(DatafetchError):
    exit_code = 130


class TransferFailed(DatafetchError):
    """One transfer ended without the file. `why` decides the exit code, `url` is free of secrets."""

    def __init__(self, why: Why, message: str, url: str = "", hint: str = "") -> None:
        super().__init__(message, hint)
        self.why = why
        self.url = url
        self.exit_code = EXIT_OF_WHY.get(why, 5)


class UnsafeArchive(DatafetchError):
    """An archive that breaks a rule of safe extraction, or is not the archive it claims to be."""

    exit_code = 5


class BadList(DatafetchError):
    """A list of URLs, a table or a document that cannot be read as its recipe says."""

    exit_code = 5


class BadBrought(BadList):
    """What a person brought cannot be read as its recipe says, or nothing can be made of it."""

    exit_code = 7


class DamagedArchive(UnsafeArchive):
    """Bytes of an archive are wrong or missing: another copy of it may be good."""

    def __init__(self, message: str, hint: str = "", shard: str = "") -> None:
        super().__init__(message, hint)
        self.shard = shard  # the one file at fault, where an archive has several and it can be told


# By the value of Why, for the same reason.
EXIT_OF_WHY = {"gone": 4, "forbidden": 7, "html": 7, "manual": 7, "quota": 7, "no space": 12}
