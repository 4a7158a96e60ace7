"""Where everything lies: the paths of one dataset's state folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATE_FOLDER = ".datafetch"


def slug(name: str) -> str:
    """An artifact's name as a single file name. Names never hold `+`, so no two meet."""
    return name.replace("/", "+")


@dataclass(frozen=True, slots=True)
class Home:
    """The state folder of one dataset below an output directory; every path is made here and nowhere else."""

    root: Path  # the output directory, resolved once
    dataset: str

    @property
    def state(self) -> Path:
        return self.root / STATE_FOLDER / self.dataset

    @property
    def lease(self) -> Path:
        return self.state / "lease"

    @property
    def manifest(self) -> Path:
        return self.state / "manifest.jsonl"

    @property
    def seen(self) -> Path:
        return self.state / "seen.jsonl"

    @property
    def looked(self) -> Path:
        """Sights of files that a verification has read which has not ended."""
        return self.state / "looked.jsonl"

    @property
    def looked_of(self) -> Path:
        """Which verification that is, when it reads everything."""
        return self.state / "looked.json"

    @property
    def verified(self) -> Path:
        """The report of the last verification."""
        return self.state / "verified.json"

    @property
    def damaged(self) -> Path:
        """Published paths whose bytes the last verification found to be wrong, one JSON list; absent when there were
        none.
        """
        return self.state / "damaged.json"

    @property
    def report(self) -> Path:
        return self.state / "report.json"

    @property
    def locked(self) -> Path:
        """The report of a run that found another one at work; absent once a later one was alone."""
        return self.state / "locked.json"

    @property
    def probed(self) -> Path:
        """What its addresses said when they were last probed. Beside the datasets: probing makes none of it be here."""
        return self.root / STATE_FOLDER / ".probes" / f"{self.dataset}.json"

    @property
    def terms(self) -> Path:
        """The terms that were accepted; absent when none were asked for."""
        return self.state / "terms.jsonl"

    @property
    def hosts(self) -> Path:
        """How hard each host of a list may be asked, as learned; absent before the first list."""
        return self.state / "hosts.json"

    @property
    def history(self) -> Path:
        return self.state / "history.jsonl"

    def samples(self, name: str) -> Path:
        """Bodies of a list that were turned away, a few of them."""
        return self.state / "samples" / slug(name)

    def undecodable(self, name: str) -> Path:
        """The members of an archive that its tree has without, one JSON list; absent when there are none."""
        return self.state / "undecodable" / f"{slug(name)}.json"

    @property
    def prepro(self) -> Path:
        """Where the files of NeuralTalk2 are written, before they take their place."""
        return self.state / "prepro"

    @property
    def own(self) -> Path:
        """How a dataset of a person's own files was asked for; absent for those that a recipe describes."""
        return self.state / "own.json"

    def gathered(self, name: str) -> Path:
        """What stood where such files were taken from, and what was made of it."""
        return self.state / "journal" / f"{slug(name)}.gathered.json"

    def derived(self, name: str) -> Path:
        """What the documents of a derived artifact were made of, and what there is to tell of them."""
        return self.state / "journal" / f"{slug(name)}.derived.json"

    def findings(self, name: str) -> Path:
        """Everything that was said of such files, a line each."""
        return self.state / "journal" / f"{slug(name)}.findings.txt"

    @property
    def inbox(self) -> Path:
        return self.state / "inbox"

    def journal(self, name: str) -> Path:
        return self.state / "journal" / f"{slug(name)}.jsonl"

    def directory(self, name: str) -> Path:
        """The directory of a remote archive of which only some members were fetched."""
        return self.state / "journal" / f"{slug(name)}.directory"

    def batches(self, name: str) -> Path:
        return self.state / "journal" / slug(name)

    def part(self, name: str) -> Path:
        return self.state / "parts" / f"{slug(name)}.part"

    @property
    def opened(self) -> Path:
        """Archives of a person's, unpacked while a run needs what they hold."""
        return self.state / "opened"

    def archive(self, name: str) -> Path:
        return self.state / "archives" / slug(name)

    def shard_folder(self, name: str) -> Path:
        return self.state / "archives" / f"{slug(name)}.shards"

    def shard(self, name: str, shard: str) -> Path:
        return self.shard_folder(name) / shard

    def shard_key(self, name: str, shard: str) -> str:
        """The name under which a shard has its journal and its part."""
        return f"{name}/{shard}"

    def staging(self, name: str) -> Path:
        return self.state / "staging" / slug(name)

    def seal(self, name: str) -> Path:
        return self.state / "staging" / f"{slug(name)}.jsonl"
