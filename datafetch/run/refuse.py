"""What stops a run before its first byte: each check returns when all is well, and raises what is to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datafetch.errors import NeedsPerson, NoRoom, UsageError
from datafetch.extras import HDF5, PARQUET, demand
from datafetch.model import Artifact, Derived, Recipe, Seen, Settings, State, UrlList, Window
from datafetch.plan.budget import Budget
from datafetch.plan.choose import ways_given_up
from datafetch.plan.peak import Disk
from datafetch.store import journal
from datafetch.store.home import Home
from datafetch.store.terms import accepted, ledger


def unaccepted(home: Home, recipe: Recipe, settings: Settings) -> None:
    """NeedsPerson for terms that nobody has accepted as they are now. To be asked before anything is fetched; a
    dataset that lacks nothing needs none.
    """
    terms = recipe.terms
    if terms is None or not terms.accept or settings.accept_terms or accepted(home, terms) is not None:
        return
    said = (
        "its terms have changed and must be accepted anew"
        if ledger(home)
        else "its terms must be accepted first"
    )
    raise NeedsPerson(
        f"{recipe.name}: {said}: {terms.text} {terms.link}".strip(),
        hint="read them, then add --accept-terms",
    )


def other_names(home: Home, recipe: Recipe, settings: Settings) -> None:
    """One mode of names for a dataset: two side by side would pair no mask with its image."""
    for artifact in recipe.artifacts:
        known = journal.known(home.journal(artifact.name))
        staged = known.staged if home.seal(artifact.name).exists() else None
        built = known.built or staged
        if built is not None and built.names != settings.names:
            raise UsageError(
                f"{recipe.name} was built with --names {built.names}",
                hint=f"keep to --names {built.names}, or build into another folder with -o",
            )


def no_rows(recipe: Recipe, wanted: Sequence[Artifact], settings: Settings) -> None:
    """UsageError for rows that are asked for by number where no list has any."""
    has_list = any(isinstance(a.source, UrlList) and a.source.window for a in wanted)
    if settings.window not in (None, Window()) and not has_list:
        if any(isinstance(a.source, UrlList) for a in wanted):
            raise UsageError(
                f"the list of {recipe.name} takes no --first: its recipe would need window: true",
                hint=f"datafetch get {recipe.name} --help shows what it takes",
            )
        raise UsageError(
            f"{recipe.name}: --first and --count choose rows of a list, and what is asked for has none",
            hint=f"datafetch info {recipe.name} shows its variants",
        )


def other_ways(home: Home, recipe: Recipe, wanted: Sequence[Artifact]) -> None:
    """One way to the files of a folder: another names and numbers them differently, and a mix is neither."""
    for way, artifact in ways_given_up(recipe, wanted):
        if isinstance(artifact.source, Derived):
            continue  # made anew of what is here, in place of the other
        if journal.known(home.journal(artifact.name)).built is not None:
            raise UsageError(
                f"{artifact.folder}/ was built with {way}",
                hint=f"keep to {way}, or build into another folder with -o",
            )


def no_room(home: Home, recipe: Recipe, budget: Budget, disk: Disk) -> None:
    """NoRoom when it cannot fit in any order of work: better now than hours later, with a full disk for everybody."""
    if budget.fits:
        return
    least = "" if budget.sure else "at least "
    even = ", even one archive at a time" if budget.wide > budget.peak else ""
    if disk.most is not None and budget.peak > disk.most:
        text = f"takes {least}{budget.peak:,} bytes of disk{even}, and --max-disk allows {disk.most:,}"
        hint = "raise --max-disk"
    elif disk.most is not None and disk.taken >= disk.most:
        text = f"takes {disk.taken:,} bytes of disk already, and --max-disk allows {disk.most:,}"
        hint = "raise --max-disk"
    elif disk.free is not None and budget.disk > disk.free:
        text = f"needs {least}{budget.disk:,} bytes of disk{even}, and {disk.free:,} are free at {home.root}"
        hint = "make room, build on a larger disk with -o"
    else:
        text = f"writes at least {budget.files:,} files, and {home.root} has room for {disk.inodes_free:,}"
        hint = "build on a larger disk with -o"
    raise NoRoom(f"{recipe.name}: it {text}", f"{hint}, or get a part, as with --split or --classes")


def prepro(recipe: Recipe, settings: Settings) -> None:
    """UsageError for --prepro where nothing has captions to prepare, or without the library it needs."""
    if settings.prepro is None:
        return
    if not any(finish.prepro for finish in recipe.finish):
        raise UsageError(
            f"{recipe.name} has no captions for --prepro",
            hint="it goes with datasets of pictures and captions, such as mscoco",
        )
    demand(HDF5, "--prepro")


def lacking_extras(wanted: Sequence[Artifact], seen: Mapping[str, Seen]) -> None:
    """UsageError when what is still to be unpacked needs a library that is not here."""
    for artifact in wanted:
        if artifact.rows and seen[artifact.name].state not in (State.STAGED, State.BUILT):
            demand(PARQUET, f"{artifact.name}, a parquet file,")
