"""Which archives are unpacked from the wire as a whole, and why others are not."""

from __future__ import annotations

from enum import Enum

from datafetch.layout.place import place_each
from datafetch.model import Artifact, Http, Shards
from datafetch.task import Task

_TARS = (*(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst"),)
_OTHERS = (".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".parquet")
_NO_RANGES = ("gdrive:",)


class Form(Enum):
    ZIP = "zip"  # or what nothing tells of
    TAR = "tar"
    OTHER = "other"


def form_of(artifact: Artifact) -> Form:
    """By its first address, which seldom lies and is never believed: bytes are looked at as they come."""
    assert isinstance(artifact.source, Http)
    path = artifact.source.urls[0].partition("?")[0].partition("#")[0].lower()
    if path.endswith(_TARS):
        return Form.TAR
    return Form.OTHER if path.endswith(_OTHERS) else Form.ZIP


def why_not_streamed(task: Task, artifact: Artifact) -> str:
    """Why an archive is fetched whole although --stream asks for the other; "" when nothing but its server can
    stand in the way.
    """
    if isinstance(artifact.source, Shards):
        return "it comes in shards that are joined first"
    if not isinstance(artifact.source, Http):
        return "it does not come over the network"
    if artifact.source.urls[0].startswith(_NO_RANGES):
        return "Google Drive gives no ranges to rely on"
    if artifact.rows or form_of(artifact) is Form.OTHER:
        return "only zips and tars are unpacked while they arrive"
    if artifact.nested or artifact.sort:
        return "its members must all be known before one of them is placed"
    if task.home.part(artifact.name).exists():
        return "a part of it is here already"
    return _why_no_tar(task, artifact) if form_of(artifact) is Form.TAR else ""


def _why_no_tar(task: Task, artifact: Artifact) -> str:
    """A tar tells its names one after the other."""
    if task.settings.names != "keep":
        return "the names of a tar are numbered once all are known"
    if any(other.mends(artifact) for other in task.recipe.artifacts):
        return "its pictures are decoded before they are placed"
    rules, picks = task.recipe.layout, task.picks(artifact)
    if picks and place_each(artifact, rules, picks) is None:
        return "what is chosen of a tar with this layout shows once all its names are known"
    return ""


def streams_tar(task: Task, artifact: Artifact) -> bool:
    """Whether it is a tar that is to be unpacked while it arrives."""
    return (
        task.settings.stream
        and artifact.unpack
        and not task.home.archive(artifact.name).exists()
        and not why_not_streamed(task, artifact)
        and form_of(artifact) is Form.TAR
    )


def streams_zip(task: Task, artifact: Artifact) -> bool:
    """Whether all members of what may be a zip are to be taken from the wire."""
    return task.settings.stream and not why_not_streamed(task, artifact) and form_of(artifact) is Form.ZIP
