"""How training code reads a folder, and everything that can be wrong with one: pure.

Two readers are meant. torchvision's ImageFolder (torchvision/datasets/folder.py) takes every folder for a class, walks
it to the bottom, takes files by their extension in any case, hidden ones too, and raises for a class without any. The
loaders of personalized representation list `train/` and take every name for a class, look into a class and one folder
below it, and know five spellings of an extension.
"""

from __future__ import annotations

from enum import Enum

from datafetch.own import sorting

TORCHVISION = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
LISTING = (".jpg", ".png", ".JPEG", ".jpeg", ".JPG")
# Pictures by their name that neither of them reads.
FOREIGN = tuple(sorting.FOREIGN | sorting.UNREAD)

SPLITS = ("train", "val", "test", "test_dense")
MASKS = "_masks"
DEPTH = 1  # folders below a class that every loader still looks into

MAX_PIXELS = 178_956_970  # beyond, Pillow raises: twice its MAX_IMAGE_PIXELS
MAX_BYTES = 1 << 30

ERROR, WARNING = "error", "warning"


def _error(word: str, text: str) -> tuple[str, str, str]:
    return word, ERROR, text


def _warning(word: str, text: str) -> tuple[str, str, str]:
    return word, WARNING, text


class Kind(Enum):
    """What can be found: its name in `--json`, how bad it is, and what follows from it.

    An error stops training or lets it learn what is wrong; a warning is left out, or done twice, in silence.
    """

    NO_CLASSES = _error("no-classes", "no class folder: ImageFolder raises FileNotFoundError")
    NO_PICTURES = _error("no-pictures", "no picture that a loader reads")
    SPLIT_INSIDE = _error(
        "split-inside-class", "splits inside of classes: each would be read as part of a class"
    )
    SPLIT_NAME = _error("split-name", "a split under a name that no loader looks for")
    STRAY = _error(
        "stray-file", "a file where classes stand: code that lists the folder takes it for a class"
    )
    HIDDEN_CLASS = _error("hidden-class", "a hidden or system folder where classes stand: it becomes a class")
    EMPTY_CLASS = _error("empty-class", "a class without a picture that loaders read: ImageFolder raises")
    UNKNOWN_CLASS = _error(
        "unknown-class", "a class that train/ does not have: its number means another class"
    )
    EMPTY_FILE = _error("empty-file", "an empty file: reading it raises")
    BROKEN = _error("does-not-decode", "a picture that does not decode")
    TOO_LARGE = _error(
        "too-large", f"a picture of more than {MAX_PIXELS:,} pixels or 1 GiB: Pillow refuses it"
    )
    UNREADABLE = _error("unreadable", "cannot be read")
    DANGLING = _error("dangling-link", "a link to nothing")
    DEVICE = _error("no-file", "neither file nor folder: a loader that opens it may wait for ever")
    INFO = _error("info", "a class that the info file names and that has no folder")
    INFO_BROKEN = _error("info-broken", "an info file that cannot be read as JSON")
    MASK_BROKEN = _error("mask-does-not-decode", "a mask that does not decode")
    MASK_SIZE = _error("mask-size", "a mask of another size than its picture")
    MASKS_ALONE = _error("masks-alone", "masks of a split that is not here")
    TOP_STRAY = _warning(
        "file-beside-classes", "a file beside classes: code that lists the folder takes it for one"
    )
    NO_TRAIN = _warning("no-train", "no train/: only the splits named above can be loaded")
    MISSING_CLASS = _warning(
        "missing-class", "a class of train/ that the split lacks: its classes are numbered anew"
    )
    NOT_LISTED = _warning("not-listed", "a class that the info file does not name: it is left out")
    OTHER_FOLDER = _warning("other-folder", "a folder beside the splits: no loader looks into it")
    IGNORED_PICTURE = _warning("ignored-picture", "a picture by its extension that every loader ignores")
    IGNORED_BY_SOME = _warning(
        "ignored-by-some", "a picture that ImageFolder reads and listing loaders ignore"
    )
    IGNORED_FILE = _warning("ignored-file", "no picture by its extension: every loader ignores it")
    HIDDEN_PICTURE = _warning("hidden-picture", "a hidden picture: ImageFolder reads it all the same")
    DEEP = _warning("deep", "deeper than one folder below its class: only ImageFolder looks there")
    LINK = _warning("link", "a link that leads elsewhere: loaders follow it, this check does not")
    SAME_STEM = _warning("same-stem", "pictures of one stem: masks and annotations go by it")
    CLASH = _warning("name-clash", "names that are one where letter case or Unicode form does not count")
    MASK_MISSING = _warning("picture-without-mask", "a picture without a mask where its split has masks")
    MASK_ALONE = _warning("mask-without-picture", "a mask without its picture")
    MASK_TWICE = _warning("mask-twice", "a second mask of the same picture, or one that fits several")
    MASK_EMPTY = _warning("mask-empty", "a mask without a pixel that is set")
    MASK_NAME = _warning("mask-name", "a mask under another name than the loaders look for")
    MASK_ENDINGS = _warning(
        "mask-extensions", "train masks of several extensions: --mask_ext names one of them"
    )
    LEAK = _warning("leak", "the same bytes in two splits: what is tested was learnt")
    TWO_CLASSES = _warning("two-classes", "the same bytes in two classes of a split")

    def __init__(self, word: str, severity: str, text: str) -> None:
        self.word = word
        self.severity = severity
        self.text = text


def is_read(name: str) -> bool:
    """Whether a loader takes the file for a picture: ImageFolder, which takes all that any does."""
    return name.lower().endswith(TORCHVISION)


def why_not_read(name: str) -> Kind | None:
    """What its extension costs a file; None for one that every loader reads."""
    if name.endswith(LISTING):
        return None
    if is_read(name):
        return Kind.IGNORED_BY_SOME
    return Kind.IGNORED_PICTURE if name.lower().endswith(FOREIGN) else Kind.IGNORED_FILE


def is_hidden(name: str) -> bool:
    """Whether desktops, notebooks and network drives make such a thing by themselves, or hide it."""
    return name.startswith((".", "@")) or name in ("__MACOSX", "__pycache__", "lost+found")


def is_junk(name: str) -> bool:
    """Files that desktops leave everywhere: worth a word only where they become a class."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini")
