# SPDX-License-Identifier: Apache-2.0
"""Report how many long word windows one text shares with another."""

import argparse
from pathlib import Path

from generate_text import SEPARATOR, digest


def windows(text: str, length: int) -> list[int]:
    """Hashes of all runs of `length` words inside the documents of a text."""
    found = []
    for document in text.split(SEPARATOR):
        words = document.lower().split()
        found += [hash(tuple(words[i : i + length])) for i in range(len(words) - length + 1)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path, help="the text that is looked at")
    parser.add_argument("other", type=Path, help="the text its windows are looked up in")
    parser.add_argument("--lengths", type=int, nargs="+", default=[12, 20, 30])
    options = parser.parse_args()
    text, other = (path.read_text(encoding="ascii") for path in (options.text, options.other))
    theirs = {digest(document) for document in other.split(SEPARATOR)}
    shared = sum(digest(document) in theirs for document in text.split(SEPARATOR))
    print(f"shared documents: {shared}")
    for length in options.lengths:
        mine, known = windows(text, length), set(windows(other, length))
        share = sum(window in known for window in mine) / len(mine)
        print(f"windows of {length} words: {100 * share:.2f} % shared")


if __name__ == "__main__":
    main()
