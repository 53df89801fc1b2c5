# SPDX-License-Identifier: Apache-2.0
"""Train the tinyworld model, a small Llama, on one core and store it in BF16.

A row of a batch is one document behind BOS and cut at the context, as in the
evaluation protocol.  Batches hold documents of similar length, so that little
is spent on padding.  The run is a function of its seed and can be resumed.
"""

import argparse
import math
import os
import random
import sys
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

# glibc returns every large buffer to the system and asks for it again in each
# step, which halves the speed; it reads these only when the process starts.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "2000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})

import sentencepiece  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from generate_text import SEPARATOR  # noqa: E402
from llama_model import Llama, Shape, write_folder  # noqa: E402

IGNORED = -100
REPORT_STEPS = 20


def encode(text: Path, tokenizer: Path, context: int) -> list[array]:
    """Documents as token ids behind BOS, cut at the context."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    documents = [part.strip() for part in text.read_text(encoding="ascii").split(SEPARATOR)]
    return [
        array("H", [processor.bos_id(), *processor.encode(part)][:context]) for part in documents
    ]


def batches(documents: list[array], size: int, rng: random.Random) -> Iterator[list[array]]:
    """One pass over the documents: rows of similar length, about `size` tokens a batch.

    The documents are shuffled and sorted by length within pools, so that a
    batch is uniform in length but no batch order is favoured.
    """
    order = list(range(len(documents)))
    rng.shuffle(order)
    pool = 64 * max(1, size // 170)
    for start in range(0, len(order), pool):
        chosen = sorted(order[start : start + pool], key=lambda index: len(documents[index]))
        groups: list[list[array]] = [[]]
        for index in chosen:
            if groups[-1] and (len(groups[-1]) + 1) * len(documents[index]) > size:
                groups.append([])
            groups[-1].append(documents[index])
        rng.shuffle(groups)
        yield from groups


def tensors(rows: list[array]) -> tuple[Tensor, Tensor]:
    """Inputs and targets of a batch; padding is no target."""
    length = max(map(len, rows)) - 1
    inputs = torch.zeros(len(rows), length, dtype=torch.long)
    targets = torch.full((len(rows), length), IGNORED)
    for number, row in enumerate(rows):
        ids = torch.tensor(row.tolist())
        inputs[number, : len(row) - 1] = ids[:-1]
        targets[number, : len(row) - 1] = ids[1:]
    return inputs, targets


def loss_sum(model: Llama, rows: list[array]) -> tuple[Tensor, int]:
    """Summed negative log-likelihood of a batch and its number of targets."""
    inputs, targets = tensors(rows)
    logits = model(inputs)
    total = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total, sum(len(row) - 1 for row in rows)


@torch.no_grad()
def validation_loss(model: Llama, documents: list[array]) -> float:
    """Mean negative log-likelihood per predicted token."""
    total, count = 0.0, 0
    for rows in batches(documents, 4096, random.Random(0)):
        part, targets = loss_sum(model, rows)
        total += part.item()
        count += targets
    return total / count


def make_optimizer(model: Llama, rate: float, decay: float) -> torch.optim.AdamW:
    """AdamW that decays matrices only: a decayed norm would just rescale its matrix."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() == 2]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), foreach=True)


def endless(documents: list[array], size: int, seed: int) -> Iterator[list[array]]:
    """Passes over the documents without end."""
    rng = random.Random(seed)
    while True:
        yield from batches(documents, size, rng)


class Trainer:
    """The state of a run: what a checkpoint holds, and the steps that change it."""

    def __init__(self, options: argparse.Namespace, training: list[array]) -> None:
        self.options = options
        self.model = Llama(Shape())
        self.optimizer = make_optimizer(self.model, options.rate, options.decay)
        self.step, self.seen, self.seconds = 0, 0, 0.0
        if options.checkpoint.exists():
            self.resume()
        self.parts = endless(training, options.batch // options.parts, options.seed)
        for _ in range(self.step * options.parts):
            next(self.parts)

    def resume(self) -> None:
        """Take up the run where its checkpoint left it."""
        state = torch.load(self.options.checkpoint)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seen, self.seconds = state["step"], state["seen"], state["seconds"]
        print(f"resumed at step {self.step}")

    def save(self) -> None:
        """Write the checkpoint; an interruption leaves the old one whole."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seen": self.seen,
            "seconds": self.seconds,
        }
        fresh = self.options.checkpoint.with_suffix(".new")
        torch.save(state, fresh)
        fresh.replace(self.options.checkpoint)

    def rate(self) -> float:
        """Learning rate of the next step: a linear warm-up, then a cosine down to 2 %."""
        warm_up, steps = self.options.warm_up, self.options.steps
        progress = max(0, self.step - warm_up) / (steps - warm_up)
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))
        return self.options.rate * min((self.step + 1) / warm_up, cosine)

    def advance(self) -> tuple[float, int]:
        """One step; returns its summed loss and its number of targets."""
        began = time.monotonic()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad()
        parts = [next(self.parts) for _ in range(self.options.parts)]
        targets = sum(len(row) - 1 for rows in parts for row in rows)
        summed = 0.0
        for rows in parts:
            total, _ = loss_sum(self.model, rows)
            (total / targets).backward()
            summed += total.item()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.seen += targets
        self.seconds += time.monotonic() - began
        return summed, targets

    def run(self, validation: list[array]) -> None:
        """All remaining steps, with reports and checkpoints."""
        saved = time.monotonic()
        recent_loss, recent_tokens, recent_seconds = 0.0, 0, self.seconds
        while self.step < self.options.steps:
            loss, targets = self.advance()
            recent_loss += loss
            recent_tokens += targets
            if self.step % REPORT_STEPS == 0:
                speed = recent_tokens / (self.seconds - recent_seconds)
                print(
                    f"step {self.step} loss {recent_loss / recent_tokens:.4f} "
                    f"tokens {self.seen} tokens/s {speed:.0f}",
                    flush=True,
                )
                recent_loss, recent_tokens, recent_seconds = 0.0, 0, self.seconds
            due = time.monotonic() - saved > self.options.save_seconds
            if due or self.step == self.options.steps:
                self.save()
                loss = validation_loss(self.model, validation)
                print(
                    f"step {self.step} validation loss {loss:.4f} "
                    f"perplexity {math.exp(loss):.4f} after {self.seconds:.0f} s",
                    flush=True,
                )
                saved = time.monotonic()


def parse_options() -> argparse.Namespace:
    """The command line; the defaults are those of the shipped model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, required=True, help="the training text")
    parser.add_argument("--validation", type=Path, required=True, help="text to watch the loss on")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True, help="file to resume from")
    parser.add_argument("--output", type=Path, required=True, help="model folder to write")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--warm-up", type=int, default=100)
    parser.add_argument("--batch", type=int, default=4096, help="tokens in a step")
    parser.add_argument("--parts", type=int, default=2, help="parts a step is computed in")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--decay", type=float, default=0.1)
    parser.add_argument("--save-seconds", type=float, default=180)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    context = Shape().max_position_embeddings
    training = encode(options.text, options.tokenizer, context)
    validation = encode(options.validation, options.tokenizer, context)
    trainer = Trainer(options, training)
    model = trainer.model
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{count} parameters, {len(training)} documents, {sum(map(len, training))} tokens")
    trainer.run(validation)
    write_folder(options.output, model)
    loss = validation_loss(model, validation)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16).float())
    rounded = validation_loss(model, validation)
    print(f"float32 perplexity {math.exp(loss):.4f}, BF16 perplexity {math.exp(rounded):.4f}")


if __name__ == "__main__":
    main()
