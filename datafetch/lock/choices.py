"""A choice as the words that were typed for it: what an entry of the lock file is found by; pure."""

from __future__ import annotations

from datafetch.model import Choice, Recipe, Settings, Window


def words(recipe: Recipe, choice: Choice, settings: Settings) -> tuple[str, ...]:
    """All that changes which files come, sorted; the same for every order in which it is typed."""
    flags = {option.name for option in recipe.options if not option.values}
    said = {f"--{name}" if name in flags else f"--{name} {value}" for name, value in choice.picked}
    if choice.only:
        said.add(f"--only {','.join(sorted(set(choice.only)))}")
    if choice.everything:
        said.add("--all")
    if settings.names != "keep":
        said.add(f"--names {settings.names}")
    if settings.subset:
        said.add(str(settings.subset))
    window = settings.window or Window()
    if window != Window():
        count = "" if window.last is None else f" --count {window.last - window.first + 1}"
        said.add(f"--first {window.first}{count}")
    return tuple(sorted(said))
