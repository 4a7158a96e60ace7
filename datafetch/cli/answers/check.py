"""What `check` says of a folder, as lines and as one JSON document."""

from __future__ import annotations

import shlex
from dataclasses import asdict

from datafetch.console.text import duration, number, plural, table
from datafetch.loaders.found import Checked
from datafetch.loaders.rules import ERROR, WARNING
from datafetch.recipe.issues import printable

TAKEN_FOR = {
    "splits": "a dataset of splits and classes",
    "classes": "a folder of classes, without splits",
    "pictures": "a folder of pictures, without classes",
    "nothing": "nothing: no splits, no classes, no pictures",
}


def document(checked: Checked, code: int) -> dict[str, object]:
    """What `--json` prints."""
    found = checked.found
    return {
        "root": checked.root,
        "taken_for": checked.shape,
        "satisfied": checked.satisfied,
        "exit_code": code,
        "decoded": checked.decoded,
        "splits": [asdict(split) for split in checked.splits],
        "counts": {"errors": found.total(ERROR), "warnings": found.total(WARNING)},
        "findings": [
            {
                "kind": kind.word,
                "severity": kind.severity,
                "text": kind.text,
                "count": found.counts[kind],
                "files": [{"path": path, "text": said} for path, said in found.examples.get(kind, ())],
            }
            for kind in found.kinds()
        ],
        "seconds": round(checked.seconds, 3),
    }


def lines(checked: Checked) -> list[str]:
    """What it was taken for, each kind of finding with its first files, and the verdict."""
    found = checked.found
    said = [f"{printable(checked.root)}: taken for {TAKEN_FOR[checked.shape]}"]
    rows = [
        (
            *([f"{split.name}/"] if split.name else []),
            plural(split.classes, "class") if split.classes else "no classes",
            plural(split.pictures, "picture"),
            plural(split.masks, "mask") if split.masks else "",
        )
        for split in checked.splits
    ]
    said += [f"  {line}" for line in table(rows)]
    wide = max((len(number(count)) for count in found.counts.values()), default=0)
    for kind in found.kinds():
        count = found.counts[kind]
        examples = found.examples.get(kind, [])
        said.append(f"{kind.severity:7}  {number(count):>{wide}}  {kind.text}")
        indent = " " * (11 + wide)
        for path, detail in examples:
            told = f": {printable(detail, 200)}" if detail else ""
            said.append(f"{indent}{printable(path, 4096)}{told}")
        if count > len(examples):
            said.append(f"{indent}… and {number(count - len(examples))} more; --all names them")
    errors, warnings = found.total(ERROR), found.total(WARNING)
    sums = [plural(count, word) for count, word in ((errors, ERROR), (warnings, WARNING)) if count]
    verdict = "satisfies the layout" if checked.satisfied else "does not satisfy the layout"
    how = f"looked at in {duration(checked.seconds)}" if checked.decoded else "no picture was read"
    said.append(f"{printable(checked.root)} {verdict}: {', '.join([*sums, how])}")
    if not checked.satisfied and any(split.pictures for split in checked.splits):
        where = printable(shlex.quote(checked.root), 4096)
        said.append(
            f"hint: datafetch build NAME --from {where} makes a dataset of what fits, and names the rest"
        )
    return said
