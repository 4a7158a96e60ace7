"""What is done a second time though it was done: rows that are due, own files that changed, documents outgrown."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from datafetch.model import Artifact, Derived, Http, Manual, Own, Recipe, Seen, Settings, State, UrlList
from datafetch.plan.difference import holder, made_of
from datafetch.plan.documents import outdated
from datafetch.plan.window import covers
from datafetch.run.ending import dropped
from datafetch.store import inventory, journal
from datafetch.store.home import Home
from datafetch.store.subsets import not_locked


def asked_again(
    wanted: Sequence[Artifact], seen: Mapping[str, Seen], home: Home, settings: Settings
) -> dict[str, Seen]:
    """The re-check pass, once a run: lists with rows that are due, or with --retry-gone any lost row; a person's own
    files that have changed, or others that were brought.
    """
    again: dict[str, Seen] = {}
    for artifact in wanted:
        now, source = seen[artifact.name], artifact.source
        repairs = settings.window is None  # what is damaged comes back as it was, and from nothing else
        if isinstance(source, Own) and now.files and not repairs and _changed(home, artifact):
            again[artifact.name] = replace(now, state=State.PARTIAL, lost=frozenset())
        if _may_be_brought_again(artifact, now):
            from datafetch.obtain.brought import newer as brought_anew

            if brought_anew(home, artifact, settings):
                again[artifact.name] = replace(now, state=State.PARTIAL)
        if not isinstance(source, UrlList) or now.state not in (State.BUILT, State.STAGED):
            continue
        due = bool(dropped(home, artifact)) and _any_due(home, artifact, settings)
        owner = holder(source.file, wanted)  # a list of lists may have more of them by now
        newer = owner is not None and owner.name in again
        freed = not settings.frozen and not repairs and not_locked(home, artifact) > 0
        if (now.state is State.BUILT and (due or newer or freed)) or _other_rows(
            home, artifact, source, settings
        ):
            again[artifact.name] = replace(now, state=State.PARTIAL)
    return again


def _may_be_brought_again(artifact: Artifact, now: Seen) -> bool:
    """Whether other files of a person's take the place of those that came before: of what need not be brought always,
    of anything else until it is published. What was brought first may have been what nothing can be made of.
    """
    match artifact.source:
        case Manual(optional=True):
            return now.state in (State.BUILT, State.STAGED)
        case Manual() | Http(manual=Manual()):
            return now.state is State.STAGED and not now.files
        case _:
            return False


def derived_again(
    recipe: Recipe,
    wanted: Sequence[Artifact],
    seen: Mapping[str, Seen],
    home: Home,
    settings: Settings,
) -> dict[str, Seen]:
    """What is derived is made anew when it was made of something else, or is about to be; and what is derived of it,
    or listed by it, is looked at again.
    """
    again: dict[str, Seen] = {}
    for artifact in wanted:
        now, source = seen[artifact.name], artifact.source
        if isinstance(source, UrlList):
            owner = holder(source.file, wanted)
            if owner is not None and owner.name in again and now.state in (State.BUILT, State.STAGED):
                again[artifact.name] = replace(now, state=State.PARTIAL)
        if not isinstance(source, Derived) or now.state not in (State.BUILT, State.STAGED):
            continue
        from datafetch.documents.derive import changed

        of = [owner.name for owner in made_of(source, wanted)]
        staged = (
            now.state is State.STAGED
        )  # a run was killed before it was published: nothing else need have changed
        here = (State.STAGED, State.BUILT) if staged else (State.BUILT,)
        moved = any(name in again or seen[name].state not in here for name in of)
        if moved or changed(home, recipe, artifact, settings, staged=staged):
            again[artifact.name] = replace(now, state=State.PARTIAL)
    return again


def made_again(
    recipe: Recipe, wanted: Sequence[Artifact], seen: Mapping[str, Seen], home: Home
) -> dict[str, Seen]:
    """Documents that tell of pictures are made anew when more of those come, from archives that were kept for it."""
    again: dict[str, Seen] = {}
    stale = outdated(recipe, wanted, seen)
    for artifact in wanted:
        if artifact.name in stale:
            now = seen[artifact.name]
            found = inventory.look(home, artifact, now.files, now.tree_bytes, stale[artifact.name])
            # One that would have to be fetched is left as it is: its host may be gone, and the pictures must come.
            if found.state is State.FETCHED:
                again[artifact.name] = found
    return again


def _other_rows(home: Home, artifact: Artifact, source: UrlList, settings: Settings) -> bool:
    """Whether rows are asked for that no run has looked at."""
    if not source.window or settings.window is None:
        return False
    return not covers(journal.known(home.journal(artifact.name)).brought, settings.window)


def _any_due(home: Home, artifact: Artifact, settings: Settings) -> bool:
    from datafetch.images.lacking import any_due

    return any_due(
        home.batches(artifact.name),
        time.time(),
        retry_gone=settings.retry_gone,
        heed=not settings.ignore_opt_out,
    )


def _changed(home: Home, artifact: Artifact) -> bool:
    from datafetch.own.bring import changed

    return changed(home, artifact)
