"""Upstream of PODS, DOGS and DF2 on loopback: small archives of the true shape, and what should become of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import tables
from archives import CLASSES, JUNK, Tree, negatives, real_set, synthetic_set, zip_of
from server import Answer, FaultServer, Thing

ORIGIN = "/data.csail.mit.edu/personal_rep"
DATASETS = ("pods", "dogs", "df2")
LEFT_BEHIND = ("_rej/", "/job_")  # what the generator leaves in its folders

# Artifact of a recipe -> its file below the dataset's folder of synthetic data.
SYNTHETIC = {
    **{f"synthetic/{gen}_cfg_{cfg}": f"{gen}_cfg_{cfg}" for gen in ("dreambooth", "dreambooth_llm")
       for cfg in ("4", "5", "7.5")},
    "synthetic/dreambooth_llm_masked_filtered_cfg_5": "dreambooth_llm_masked_filtered_cfg_5",
    "synthetic/cut_and_paste_sd_background": "cut_and_paste_sd_background",
    "synthetic/cut_and_paste_real_background": "cut_and_paste_real_background",
}  # fmt: skip
ARTIFACTS = ("real", *SYNTHETIC, "negatives")


def address(dataset: str, artifact: str) -> str:
    """The path at which a mirror serves an artifact."""
    if artifact == "real":
        return f"{ORIGIN}/{dataset}.zip"
    return f"{ORIGIN}/syn_data/{dataset}/{dataset}_{SYNTHETIC.get(artifact, artifact)}.zip"


@cache
def members(dataset: str, artifact: str) -> Tree:
    """What the archive of an artifact holds."""
    seed = DATASETS.index(dataset) * 20 + ARTIFACTS.index(artifact)
    if artifact == "real":
        return real_set(dataset, seed) | (JUNK if dataset == "pods" else {})
    if artifact == "negatives":
        return negatives(dataset, seed, nested=dataset == "pods")
    name = SYNTHETIC[artifact]
    if name.startswith("cut_and_paste"):
        return _cut_and_paste(dataset, name.split("_")[3], seed)
    generator, _, cfg = name.rpartition("_cfg_")
    return synthetic_set(dataset, seed, generator, cfg if cfg == "7.5" else f"{cfg}.0", per_class=6)


def _cut_and_paste(dataset: str, background: str, seed: int) -> dict[str, bytes]:
    from archives import picture

    return {
        f"cut_and_paste_{background}/{name}/{k}.png": picture(seed * 900 + index * 50 + k, form="PNG")
        for index, name in enumerate(CLASSES[dataset])
        for k in range(3)
    }


def junk(path: str) -> bool:
    name = path.rpartition("/")[2]
    return path.startswith("__MACOSX/") or name in (".DS_Store", "Thumbs.db") or name.startswith("._")


def expected(dataset: str, artifact: str, tree: Tree | None = None) -> dict[str, bytes]:
    """Path below the output directory -> bytes, worked out without any code of the program."""
    tree = members(dataset, artifact) if tree is None else tree
    found: dict[str, bytes] = {}
    for path, data in tree.items():
        if junk(path) or any(mark in path for mark in LEFT_BEHIND):
            continue
        if artifact == "real":
            found[path] = data  # the archive's root folder is the dataset's
        elif artifact == "negatives":
            below = path.removeprefix(f"{dataset}/{dataset}_negatives/")
            if dataset == "pods":
                category, _, name = below.partition("/")
                below = f"{category}_negatives/{name}"
            found[f"{dataset}_negatives/{below}"] = data
        else:
            class_name, name = path.split("/")[-2:]
            found[f"{dataset}_{SYNTHETIC[artifact]}/{class_name}/{name}"] = data
    return found


@cache
def archive(dataset: str, artifact: str) -> bytes:
    return zip_of(members(dataset, artifact), deflate=artifact == "negatives", folders=artifact == "real")


@cache
def things() -> Mapping[str, Thing]:
    """All 33 archives by the path at which a mirror serves them."""
    return {address(d, a): Thing(archive(d, a)) for d in DATASETS for a in ARTIFACTS}


@dataclass
class Upstream:
    """A mirror of everything, also of the copy of PODS on the hub; paths that end with a key of `instead` differ."""

    instead: dict[str, Answer] = field(default_factory=dict)

    def find(self, path: str) -> Answer | None:
        for end, answer in self.instead.items():
            if path.endswith(end):
                return answer
        return things().get(path) or tables.things().get(path)

    def serve(self) -> FaultServer:
        return FaultServer(self.find)
