"""The options of the panel "For NeuralTalk2": captions and pictures as the arrays that it trains on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from datafetch.cli.options.declare import TALK, option
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch import model
    from datafetch.model import Settings


@dataclass(frozen=True, slots=True)
class Prepro:
    """What NeuralTalk2's prepro.py is told, if it is to be done at all."""

    prepro: Annotated[
        bool, option("--prepro", help="also make the .json and .h5 that NeuralTalk2 trains on", panel=TALK)
    ] = False
    num_val: Annotated[
        int | None,
        option("--num-val", help="pictures for val (default 5000)", panel=TALK, min=0, metavar="N"),
    ] = None
    num_test: Annotated[
        int | None,
        option("--num-test", help="pictures for test (default 5000)", panel=TALK, min=0, metavar="N"),
    ] = None
    word_count_threshold: Annotated[
        int | None,
        option(
            "--word-count-threshold",
            help="words that occur so often or less become UNK (default 5)",
            panel=TALK,
            min=0,
            metavar="N",
        ),
    ] = None
    max_length: Annotated[
        int | None,
        option("--max-length", help="words a caption keeps (default 16)", panel=TALK, min=1, metavar="N"),
    ] = None

    def rules(self) -> model.Prepro | None:
        """The rules of --prepro, or None without it. UsageError for options that only it reads."""
        from datafetch.model import Prepro

        asked = {
            "num_val": self.num_val,
            "num_test": self.num_test,
            "word_count_threshold": self.word_count_threshold,
            "max_length": self.max_length,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        if self.prepro:
            return Prepro(**given)
        if given:
            raise UsageError(f"--{next(iter(given)).replace('_', '-')} goes with --prepro", "add --prepro")
        return None

    def onto(self, settings: Settings) -> Settings:
        return replace(settings, prepro=self.rules())
