"""The files that --prepro makes of a published document of captions: beside it in its folder, and in the manifest.

A line of the manifest says of them what they were made of: `prepro:<sha256 of the document>?num_val=…`. So a run that
is asked for the same again has nothing to do, and one that finds them gone or damaged can make them again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from urllib.parse import parse_qsl, urlencode

from datafetch.errors import NoRoom
from datafetch.extras import HDF5, demand
from datafetch.layout import manifest
from datafetch.model import Event, FileRecord, Finish, Prepro, Recipe
from datafetch.store import inventory
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree, remove_tree
from datafetch.store.home import Home
from datafetch.store.merge import conflicts, move_in
from datafetch.verify.damage import write_damaged
from datafetch.verify.sights import remember

MADE = "prepro:"


def prepare_all(
    home: Home,
    recipe: Recipe,
    rules: Prepro,
    gone: Collection[str],
    tell: Callable[[Event], None],
    go_on: Callable[[], None],
) -> None:
    """Make the files of each published document that has some, unless they are here and made by the same rules.

    May be called again after any end. Raises what `talk.prepro.prepare` does, and NoRoom for a file in the way;
    and what `go_on` raises to end it, which is called for each picture.
    """
    for finish, document in _documents(home, recipe):
        made = f"{MADE}{document.sha256}?{urlencode(asdict(rules))}"
        paths = _paths(finish, document)
        here = {record.path: record.url for record in manifest.read(home.manifest)}
        if any(here.get(path) != made or path in gone for path in paths):
            _prepare(home, document, paths, made, rules, tell, go_on)


def rules_of(home: Home, paths: Collection[str]) -> Prepro | None:
    """The rules by which the first of these files was made; None when none of them is one of ours."""
    for record in manifest.salvage(home.manifest) if paths else ():
        if record.path in paths and record.url.startswith(MADE):
            return Prepro(**{name: int(value) for name, value in parse_qsl(record.url.partition("?")[2])})
    return None


def outdated(home: Home, recipe: Recipe) -> Iterator[str]:
    """What to tell of files whose document has changed since."""
    here = {record.path: record.url for record in manifest.salvage(home.manifest)}
    for finish, document in _documents(home, recipe):
        for path in _paths(finish, document):
            if path in here and not here[path].startswith(f"{MADE}{document.sha256}?"):
                yield f"{path} was made of another {document.path}: --prepro makes it anew"


def _documents(home: Home, recipe: Recipe) -> list[tuple[Finish, FileRecord]]:
    published = {record.path: record for record in manifest.salvage(home.manifest)}
    wanted = [finish for finish in recipe.finish if finish.prepro]
    found = (
        (finish, published[f"{folder}/{finish.to}"])
        for finish in wanted
        for folder in recipe.folders
        if f"{folder}/{finish.to}" in published
    )
    # Several ways to one document have a finish each.
    return list({document.path: (finish, document) for finish, document in found}.values())


def _paths(finish: Finish, document: FileRecord) -> tuple[str, str]:
    folder = document.path.removesuffix(finish.to)
    return f"{folder}{finish.prepro}.json", f"{folder}{finish.prepro}.h5"


def _prepare(
    home: Home,
    document: FileRecord,
    paths: Sequence[str],
    made: str,
    rules: Prepro,
    tell: Callable[[Event], None],
    go_on: Callable[[], None],
) -> None:
    from datafetch.talk.prepro import prepare, sha256_of

    demand(HDF5, "--prepro")
    remove_tree(home.prepro)
    folder = document.path.partition("/")[0]
    to_json, to_h5 = (home.prepro / path for path in paths)
    done = prepare(home.root / document.path, home.root / folder, to_json, to_h5, rules, tell, go_on)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    records = [
        FileRecord(path, file.stat().st_size, sha256_of(file, go_on), made, now)
        for path, file in zip(paths, (to_json, to_h5), strict=True)
    ]
    _publish(home, folder, records, go_on)
    tell(Event("note", folder, text=f"{paths[1]}: {done.words_told}"))


def _publish(home: Home, folder: str, records: Sequence[FileRecord], go_on: Callable[[], None]) -> None:
    """Into the folder, then into the manifest; a file with these very bytes that stands there already is adopted."""
    from datafetch.talk.prepro import sha256_of

    wanted = {record.path: record.sha256 for record in records}
    before = manifest.read(home.manifest)
    owned = {record.path for record in before if record.path in wanted and record.url.startswith(MADE)}
    source = (home.prepro / folder).relative_to(home.root).as_posix()

    def ours(path: str) -> bool:
        return path in owned or sha256_of(home.root / path, go_on) == wanted[path]

    with user_errors(home.root / folder), Tree(home.root) as tree:
        if blocked := conflicts(tree, source, folder, ours):
            raise NoRoom(f"{', '.join(blocked)}: in the way, and not ours", "move it away, then run it again")
        move_in(tree, source, folder, ours)
    manifest.write(home.manifest, [*(record for record in before if record.path not in wanted), *records])
    remember(home, [record.path for record in records])
    write_damaged(home, sorted(inventory.damaged(home) - wanted.keys()))
    remove_tree(home.prepro)
