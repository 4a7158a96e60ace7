"""`export`: a published dataset handed to other tools (`bundle export` is another command, in bundle)."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from datafetch.cli.app import CHECK, app, recipe_of, refuse_group, to_have
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.declare import grouped, option
from datafetch.cli.options.output import Telling
from datafetch.cli.options.what import Name
from datafetch.cli.options.where import DEFAULT_DIR, DataDir, Registry
from datafetch.cli.output import print_lines, say, watching
from datafetch.errors import NoRoom, UsageError

if TYPE_CHECKING:
    from datafetch.model import Recipe
    from datafetch.store.home import Home


class Form(StrEnum):
    SHA256SUMS = "sha256sums"
    BAGIT = "bagit"


@app.command("export", cls=PanelCommand, rich_help_panel=CHECK)
@grouped
def export_command(
    *,
    name: Name,
    target: Annotated[
        Path, option("-o", "--out", help="the file or folder to make; - prints SHA256SUMS", metavar="PATH")
    ] = Path("-"),
    form: Annotated[
        Form,
        option(
            "--format", help="lines for sha256sum -c, or a bag after RFC 8493", metavar="sha256sums|bagit"
        ),
    ] = Form.SHA256SUMS,
    link: Annotated[
        bool,
        option(
            "--link",
            help="of a bag: second names of the files, where their blocks cannot be shared, no copies",
        ),
    ] = False,
    output_dir: DataDir = DEFAULT_DIR,
    registry: Registry = [],  # noqa: B006
    telling: Telling,
) -> int:
    """What is published as SHA256SUMS, or as a BagIt bag."""
    from datafetch.model import Settings
    from datafetch.run import home_of
    from datafetch.stops import stoppable

    recipe = recipe_of(name, registry, output_dir)
    refuse_group(recipe, "export")
    home = home_of(Settings(root=str(output_dir)), recipe.name)
    if str(target) == "-":
        if form is not Form.SHA256SUMS or telling.as_json:
            raise UsageError("-o - prints SHA256SUMS and nothing else", "name what to make: -o PATH")
        return _print_sums(home, to_have(recipe))
    if link and form is not Form.BAGIT:
        raise UsageError("--link goes with --format bagit", "SHA256SUMS is one file")
    path = Path(os.path.realpath(target.parent)) / target.name
    _refuse_inside(recipe, home, path)
    with watching(name, telling) as watcher:
        if form is Form.SHA256SUMS:
            files = stoppable(lambda go_on: _write_sums(home, path, to_have(recipe), go_on), None)
        else:
            from datafetch.export.bag import write_bag
            from datafetch.store.lease import Lease

            with ExitStack() as stack:
                with suppress(NoRoom):  # where nothing can be written, nobody else writes either
                    stack.enter_context(Lease(home.lease))
                bag = stoppable(
                    lambda go_on: write_bag(
                        home, recipe, path, link=link, hint=to_have(recipe), emit=watcher, go_on=go_on
                    ),
                    None,
                )
            files = bag.files
    if telling.as_json:
        say(json.dumps({"dataset": recipe.name, "format": form, "path": str(path), "files": files}))
    elif not telling.quiet:
        print_lines([f"{target}: {files:,} files of {recipe.name}", *_checks(form, target, home)])
    return 0


def _checks(form: Form, target: Path, home: Home) -> list[str]:
    if form is Form.BAGIT:
        return []
    sums = os.path.relpath(os.path.realpath(target), home.root)
    here = os.path.relpath(home.root)
    return [f"hint: (cd {shlex.quote(here)} && sha256sum -c --quiet {shlex.quote(sums)}) checks them"]


def _print_sums(home: Home, hint: str) -> int:
    from datafetch.export.sums import sums

    for line in sums(home, hint):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    return 0


def _write_sums(home: Home, path: Path, hint: str, go_on: Callable[[], None]) -> int:
    from datafetch.export.sums import sums
    from datafetch.store.files import atomic_file

    if path.is_dir():
        raise UsageError(f"-o {path} is a folder", "name the file to write: -o SHA256SUMS")
    files = 0
    with atomic_file(path) as file:
        for line in sums(home, hint, go_on):
            file.write(line)
            files += 1
    return files


def _refuse_inside(recipe: Recipe, home: Home, path: Path) -> None:
    """Nothing but the dataset itself stands in its folders: loaders take every folder there for a class."""
    for folder in recipe.folders:
        if path.is_relative_to(home.root / folder):
            raise UsageError(
                f"{path} lies in {home.root / folder}, which holds the dataset and nothing else",
                "choose a place beside it with -o",
            )
