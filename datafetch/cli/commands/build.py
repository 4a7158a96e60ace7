"""`build`: a dataset of files that are here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import GET, app
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.declare import WHAT, WHERE_FROM, WHERE_TO, grouped, option
from datafetch.cli.options.output import Telling, Verbose
from datafetch.cli.options.units import given, parse_percent
from datafetch.cli.options.where import DEFAULT_DIR, OutputDir
from datafetch.cli.output import watching
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.model import Own


@app.command("build", cls=PanelCommand, rich_help_panel=GET)
@grouped
def build_command(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="what the dataset is to be called")],
    source: Annotated[
        Path,
        option("--from", help="the folder or zip of your pictures", panel=WHERE_FROM, metavar="PATH"),
    ],
    labels: Annotated[
        list[Path],
        option(
            "--labels",
            help="says the class of each: a CSV (file,class[,split][,mask]) or COCO's JSON (repeatable)",
            panel=WHERE_FROM,
            metavar="FILE",
        ),
    ] = [],  # noqa: B006
    splits: Annotated[
        list[Path],
        option(
            "--splits",
            help="a CSV (file,split) that says the split of each",
            panel=WHERE_FROM,
            metavar="FILE",
        ),
    ] = [],  # noqa: B006
    masks: Annotated[
        Path | None,
        option("--masks", help="a folder of masks, named as their pictures", panel=WHERE_FROM, metavar="DIR"),
    ] = None,
    negatives: Annotated[
        Path | None,
        option(
            "--negatives",
            help="pictures without the object, for NAME_negatives/",
            panel=WHERE_FROM,
            metavar="PATH",
        ),
    ] = None,
    test: Annotated[
        str,
        option(
            "--test",
            help="share of each class for test/, where nothing says a split",
            panel=WHAT,
            metavar="20%",
        ),
    ] = "",
    seed: Annotated[
        int, option("--seed", help="another draw of that share (default 0)", panel=WHAT, metavar="N")
    ] = 0,
    draw_masks: Annotated[
        bool, option("--draw-masks", help="draw masks from the polygons or RLE of COCO's JSON", panel=WHAT)
    ] = False,
    output_dir: OutputDir = DEFAULT_DIR,
    copy: Annotated[
        bool,
        option("--copy", help="copy; else blocks are shared, or a file gets a second name", panel=WHERE_TO),
    ] = False,
    min_complete: Annotated[
        str,
        option("--min-complete", help="share of files that counts as complete", panel=WHAT, metavar="99.5%"),
    ] = "",
    telling: Telling,
    verbose: Verbose = False,
) -> int:
    """Bring pictures of your own into the layout that training code reads; safe to repeat.

    Splits and classes come from the folders (train/cat/1.jpg, cat/train/1.jpg, cat/1.jpg), or from --labels and
    --splits. Masks lie in train_masks/, test_masks/, masks/ or --masks, named as their pictures.
    """
    from datafetch import run
    from datafetch.cli.answers.report import say_report
    from datafetch.model import Choice, Own, Settings
    from datafetch.own import wish

    _refuse_name(name)
    pictures = Own(
        _found(source, "--from"),
        masks=_found(masks, "--masks", folder=True) if masks else "",
        labels=tuple(_found(file, "--labels", file=True) for file in labels),
        splits=tuple(_found(file, "--splits", file=True) for file in splits),
        test=parse_percent(test) / 100 if test else 0.0,
        seed=seed,
        draw=draw_masks,
        copy=copy,
    )
    if draw_masks and not any(path.endswith(".json") for path in pictures.labels):
        raise UsageError("--draw-masks needs outlines", "name the JSON that holds them with --labels")
    none = Own(_found(negatives, "--negatives"), flat=True, copy=copy) if negatives else None
    _refuse_inside(pictures, none, output_dir, name)
    recipe = wish.recipe_of(name, pictures, none)
    settings = Settings(root=str(output_dir), min_complete=given(parse_percent, min_complete))
    with watching(name, telling, verbose=verbose) as watcher:
        report = run.get(recipe, Choice(everything=True), settings, watcher)
    wish.keep(run.home_of(settings, name), recipe)
    return say_report(report, as_json=telling.as_json, quiet=telling.quiet)


def _refuse_name(name: str) -> None:
    """UsageError for a name that cannot be one, or that a recipe has: both would share one folder."""
    from datafetch.recipe import registry
    from datafetch.recipe.issues import Bad
    from datafetch.recipe.values import recipe_name

    try:
        recipe_name(name)
    except Bad as error:
        raise UsageError(f"a dataset cannot be called {name!r}: {error}") from None
    if name in registry.names():
        raise UsageError(f"{name} is a dataset that datafetch fetches", "choose another name for your own")


def _found(path: Path, flag: str, *, folder: bool = False, file: bool = False) -> str:
    if not path.exists():
        raise UsageError(f"{flag} {path}: there is nothing")
    if folder and not path.is_dir():
        raise UsageError(f"{flag} {path} is not a folder")
    if file and not path.is_file():
        raise UsageError(f"{flag} {path} is not a file")
    return os.path.realpath(path)


def _refuse_inside(pictures: Own, negatives: Own | None, output_dir: Path, name: str) -> None:
    """UsageError when the result would be taken for its own source by the next run."""
    root = os.path.realpath(output_dir)
    for own in (pictures, negatives):
        for place in (own.where, own.masks) if own else ():
            for built in (f"{root}/{name}", f"{root}/{name}_negatives"):
                if place and (
                    built == place or built.startswith(f"{place}/") or place.startswith(f"{built}/")
                ):
                    raise UsageError(
                        f"{built} would stand inside of what it is made from, {place}",
                        "choose another folder with -o",
                    )
