# SPDX-License-Identifier: Apache-2.0
"""Train the SentencePiece tokenizer of the tinyworld model on the training text."""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import sentencepiece

from generate_text import SEPARATOR


def lines(text: Path, limit: int) -> Iterator[str]:
    """The lines of the first `limit` documents.

    SentencePiece learns from lines, so a newline never becomes a piece of its
    own: it is encoded as the byte piece <0x0A> and survives a round trip.
    """
    documents = text.read_text(encoding="ascii").split(SEPARATOR)
    for document in islice(documents, limit):
        yield from document.strip().splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, required=True, help="the training text")
    parser.add_argument("--output", type=Path, required=True, help="tokenizer.model to write")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--vocabulary", type=int, default=512)
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=lines(options.text, options.documents),
            model_writer=model,
            model_type="bpe",
            vocab_size=options.vocabulary,
            byte_fallback=True,
            split_digits=True,
            character_coverage=1.0,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            num_threads=1,
            minloglevel=1,
        )
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(options.output))
    sample = options.text.read_text(encoding="ascii")[:100_000]
    pieces = tokenizer.encode(sample)
    if tokenizer.decode(pieces) != sample:
        raise SystemExit("the tokenizer does not give the text back")
    print(f"{tokenizer.vocab_size()} pieces, {len(sample) / len(pieces):.2f} bytes per token")


if __name__ == "__main__":
    main()
