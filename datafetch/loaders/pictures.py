"""Masks and pictures of one class, paired; and what the bytes of each say."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from datafetch.images.check import FORMATS, Limits, check
from datafetch.loaders.classes import Class, Picture
from datafetch.loaders.folder import joined
from datafetch.loaders.found import Findings
from datafetch.loaders.rules import MAX_BYTES, MAX_PIXELS, Kind
from datafetch.model import Why
from datafetch.own.pairs import EMPTY, fault, pair
from datafetch.own.sorting import File

LIMITS = replace(
    Limits(max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS), formats=(*FORMATS, "PPM")
)  # which ImageFolder reads


class Job(NamedTuple):
    """A picture to be read, and the mask that belongs to it; paths below the root, "" for none."""

    picture: str
    mask: str


class Seen(NamedTuple):
    """What the bytes say: the first eight of their SHA-256, 0 when they could not be read; and what is wrong."""

    digest: int
    wrong: tuple[tuple[Kind, str, str], ...]


def jobs_of(one: Class, pictures: Sequence[Picture], masks: Sequence[Picture], found: Findings) -> list[Job]:
    """What is to be read of a class, each picture with its mask; a mask that fits none is a finding."""
    folder, masked = one.folder, joined(one.split.masks, one.name) if one.split.masks else ""
    pairs = pair(
        (File(joined(folder, p.name), one.split.name, one.name, p.name) for p in pictures),
        (File(joined(masked, m.name), one.split.name, one.name, m.name, True) for m in masks),
    )
    for mask in pairs.alone:
        found.add(Kind.MASK_ALONE, mask.path)
    for mask in (*pairs.unsure, *pairs.twice):
        found.add(Kind.MASK_TWICE, mask.path)
    jobs = []
    for picture in pictures:
        path = joined(folder, picture.name)
        mask_of = pairs.of.get(path)
        if mask_of is None and masked:
            found.add(Kind.MASK_MISSING, path)
        elif mask_of is not None and (wanted := _wanted(one, picture.name, mask_of)) != mask_of.name:
            found.add(Kind.MASK_NAME, mask_of.path, f"{joined(masked, wanted)} is looked for")
        if picture.size:
            jobs.append(Job(path, mask_of.path if mask_of else ""))
        elif mask_of is not None:
            jobs.append(Job("", mask_of.path))
    jobs += [Job("", mask.path) for mask in (*pairs.alone, *pairs.unsure, *pairs.twice)]
    return jobs


def _wanted(one: Class, picture: str, mask: File) -> str:
    """A train mask is looked for by its picture's stem and one extension, any other by the whole name."""
    if one.split.name != "train":
        return picture
    return f"{picture.rpartition('.')[0]}.{mask.name.rpartition('.')[2]}"


def look(root: str, job: Job) -> Seen:
    """Reads and decodes. Nothing is raised for whatever lies there."""
    wrong: list[tuple[Kind, str, str]] = []
    digest = 0
    if job.picture:
        try:
            data = _read(os.path.join(root, job.picture))
        except OSError as error:
            wrong.append((Kind.UNREADABLE, job.picture, (error.strerror or "").lower()))
        else:
            if data is None:
                wrong.append((Kind.TOO_LARGE, job.picture, ""))
            else:
                digest = int.from_bytes(hashlib.sha256(data).digest()[:8])
                wrong += _of_picture(job.picture, check(data, LIMITS))
            del data
    if job.mask:
        wrong += _of_mask(root, job, whole=not wrong)
    return Seen(digest, tuple(wrong))


def _read(path: str) -> bytes | None:
    """None for more than MAX_BYTES. Never waits, should a pipe have taken the place of a file by now."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        return file.read(found.st_size) if found.st_size <= MAX_BYTES else None


def _of_picture(path: str, judged: object) -> list[tuple[Kind, str, str]]:
    match judged:
        case Why.TOO_LARGE:
            return [(Kind.TOO_LARGE, path, "")]
        case Why.SHORT:
            return [(Kind.BROKEN, path, "breaks off")]
        case Why():
            return [(Kind.BROKEN, path, "not an image")]
    return []


def _of_mask(root: str, job: Job, *, whole: bool) -> list[tuple[Kind, str, str]]:
    mask = Path(root, job.mask)
    try:
        data = _read(str(mask))
    except OSError as error:
        return [(Kind.UNREADABLE, job.mask, (error.strerror or "").lower())]
    judged = Why.TOO_LARGE if data is None else check(data, LIMITS)
    if isinstance(judged, Why):
        words = {Why.SHORT: "breaks off", Why.TOO_SMALL: "an empty file", Why.TOO_LARGE: "too large"}
        return [(Kind.MASK_BROKEN, job.mask, words.get(judged, "not an image"))]
    if not whole or not job.picture:
        return []
    said = fault(Path(root, job.picture), mask)
    if said == EMPTY:
        return [(Kind.MASK_EMPTY, job.mask, "")]
    if said.startswith("no image") or said == "gone":
        return [(Kind.MASK_BROKEN, job.mask, said)]
    return [(Kind.MASK_SIZE, job.mask, said)] if said else []
