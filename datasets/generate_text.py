# SPDX-License-Identifier: Apache-2.0
"""Write the seeded, synthetic texts that the tinyworld model is made from.

The documents are short and built so that late tokens depend on early ones
(who holds what, where somebody went, which key had which value): a model must
carry state to predict them, so damage to any of its layers shows in the
perplexity.

Three streams come from one seed: evaluation, calibration and training.  A
document whose normalised text, or whose key (the choices that decided its
content), was seen in an earlier stream is dropped, so the streams are disjoint.
"""

import argparse
import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from exercises import brackets, lists, recall, sums, table_of
from stories import (
    bag_report,
    gift_story,
    journey,
    lost_story,
    rhyme,
    talk,
    trade_story,
    world_report,
)
from text_parts import Document

SEPARATOR = "<|endoftext|>"
STREAMS = ("evaluation", "calibration", "training")

KINDS: tuple[tuple[Callable[[random.Random], Document], int], ...] = (
    (lost_story, 18),
    (trade_story, 12),
    (gift_story, 14),
    (world_report, 12),
    (bag_report, 7),
    (journey, 8),
    (sums, 6),
    (table_of, 3),
    (lists, 6),
    (brackets, 4),
    (recall, 6),
    (talk, 7),
    (rhyme, 3),
)


def digest(text: str) -> bytes:
    """A hash that ignores case and spacing."""
    return hashlib.blake2b(" ".join(text.lower().split()).encode("ascii"), digest_size=12).digest()


class Streams:
    """The three disjoint streams of one seed, made in the order of STREAMS."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.taken: set[bytes] = set()
        self.dropped = 0

    def documents(self, stream: str, size: int) -> Iterator[str]:
        """Documents of `stream` until `size` characters, none of them in an earlier stream."""
        rng = random.Random(f"{self.seed}/{stream}")
        makers, weights = zip(*KINDS)
        own: set[bytes] = set()
        written = 0
        while written < size:
            document = rng.choices(makers, weights)[0](rng)
            marks = {digest(document.text), digest(repr(document.key))}
            if marks & self.taken or marks & own:
                self.dropped += 1
                continue
            own |= marks
            written += len(document.text)
            yield document.text
        self.taken |= own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=20240)
    parser.add_argument("--output", type=Path, required=True, help="folder for the three texts")
    parser.add_argument("--held-out-size", type=int, default=250_000, help="characters")
    parser.add_argument("--training-size", type=int, default=40_000_000, help="characters")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    streams = Streams(options.seed)
    for stream in STREAMS:
        size = options.training_size if stream == "training" else options.held_out_size
        documents = list(streams.documents(stream, size))
        text = f"\n{SEPARATOR}\n".join(documents) + "\n"
        (options.output / f"{stream}.txt").write_text(text, encoding="ascii")
        print(f"{stream}: {len(documents)} documents, {len(text)} bytes")
    print(f"{streams.dropped} documents dropped as repeated")


if __name__ == "__main__":
    main()
