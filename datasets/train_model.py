# SPDX-License-Identifier: Apache-2.0
"""Train the tinyworld model, a small Llama, on one core and store it in BF16.

A row of a batch is one document behind BOS and cut at the context, as in the
evaluation protocol.  Batches hold documents of similar length, so that little
is spent on padding.  The run is a function of its seed and can be resumed.
"""

import argparse
import json
import math
import os
import random
import struct
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
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

IGNORED = -100


@dataclass(frozen=True)
class Shape:
    """The fields of config.json that decide the tensors and the arithmetic."""

    hidden_size: int = 128
    intermediate_size: int = 320
    num_hidden_layers: int = 8
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    head_dim: int = 16
    vocab_size: int = 512
    max_position_embeddings: int = 256
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0


class Norm(nn.Module):
    """Root-mean-square normalisation with a learned scale."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.hidden_size))
        self.eps = shape.rms_norm_eps

    def forward(self, x: Tensor) -> Tensor:
        mean = x.square().mean(-1, keepdim=True)
        return x * torch.rsqrt(mean + self.eps) * self.weight


def rotary_tables(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines for the rotate-half form, by position."""
    half = torch.arange(0, shape.head_dim, 2) / shape.head_dim
    angles = torch.outer(
        torch.arange(shape.max_position_embeddings).float(), shape.rope_theta**-half
    )
    return torch.cat((angles.cos(),) * 2, -1), torch.cat((-angles.sin(), angles.sin()), -1)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate each pair (i, i + head_dim / 2) by its position's angle."""
    return x * cosine + x.roll(x.shape[-1] // 2, -1) * sine


class Attention(nn.Module):
    """Causal grouped-query attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        queries = shape.num_attention_heads * shape.head_dim
        keys = shape.num_key_value_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden_size, queries, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, keys, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, keys, bias=False)
        self.o_proj = nn.Linear(queries, shape.hidden_size, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        rows, length, _ = x.shape
        groups, width = self.shape.num_key_value_heads, self.shape.head_dim
        shared = self.shape.num_attention_heads // groups
        q = self.q_proj(x).view(rows, length, groups * shared, width).transpose(1, 2)
        k = self.k_proj(x).view(rows, length, groups, width).transpose(1, 2)
        v = self.v_proj(x).view(rows, length, groups, width).transpose(1, 2)
        # The heads that share keys are stacked along the length: one product serves them all.
        q = rotate(q, cosine, sine).reshape(rows * groups, shared * length, width)
        k = rotate(k, cosine, sine).reshape(rows * groups, length, width)
        v = v.reshape(rows * groups, length, width)
        scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=width**-0.5)
        mixed = torch.bmm(scores.softmax(-1), v).view(rows, groups * shared, length, width)
        return self.o_proj(mixed.transpose(1, 2).reshape(rows, length, -1))


class FeedForward(nn.Module):
    """The gated unit of Llama."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One layer; the names of its parts are those of the stored tensors."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = FeedForward(shape)
        self.input_layernorm = Norm(shape)
        self.post_attention_layernorm = Norm(shape)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """The model; the output head is the embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.num_hidden_layers))
        self.norm = Norm(shape)
        self.cosine, self.sine = rotary_tables(shape)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                scale = (2 * shape.num_hidden_layers) ** -0.5 if deep else 1.0
                nn.init.normal_(parameter, std=scale * shape.hidden_size**-0.5 * 0.7)
        nn.init.normal_(self.embed_tokens.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        shared = self.shape.num_attention_heads // self.shape.num_key_value_heads
        mask = torch.full((length, length), -math.inf).triu(1).repeat(shared, 1)
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x, self.cosine[:length], self.sine[:length], mask)
        return F.linear(self.norm(x), self.embed_tokens.weight)


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


def write_safetensors(path: Path, named: dict[str, Tensor]) -> None:
    """Write BF16 tensors: header length, JSON header, data."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in named.items():
        end = offset + 2 * tensor.numel()
        header[name] = {
            "dtype": "BF16",
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    encoded = json.dumps(header, separators=(",", ":")).encode("ascii")
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(encoded)) + encoded)
        for tensor in named.values():
            rounded = tensor.detach().to(torch.bfloat16).contiguous()
            out.write(rounded.view(torch.int16).numpy().astype("<i2").tobytes())


def write_folder(folder: Path, model: Llama) -> None:
    """Write config.json and model.safetensors as Hugging Face names them."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **asdict(model.shape),
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "bfloat16",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="ascii")
    named = {f"model.{name}": tensor for name, tensor in model.named_parameters()}
    write_safetensors(folder / "model.safetensors", named)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, required=True, help="the training text")
    parser.add_argument("--validation", type=Path, required=True, help="text to watch the loss on")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True, help="file to resume from")
    parser.add_argument("--output", type=Path, required=True, help="model folder to write")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--warm-up", type=int, default=100)
    parser.add_argument("--batch", type=int, default=4096, help="tokens in a step")
    parser.add_argument("--parts", type=int, default=2, help="parts a step is computed in")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--decay", type=float, default=0.1)
    parser.add_argument("--save-seconds", type=float, default=180)
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    shape = Shape()
    training = encode(options.text, options.tokenizer, shape.max_position_embeddings)
    validation = encode(options.validation, options.tokenizer, shape.max_position_embeddings)
    model = Llama(shape)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": options.decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=options.rate,
        betas=(0.9, 0.95),
        foreach=True,
    )
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{count} parameters, {len(training)} documents, {sum(map(len, training))} tokens")

    first, seen, seconds = 0, 0, 0.0
    if options.checkpoint.exists():
        state = torch.load(options.checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, seen, seconds = state["step"], state["seen"], state["seconds"]
        print(f"resumed at step {first}")

    def parts() -> Iterator[list[array]]:
        """Endless passes over the training documents."""
        rng = random.Random(options.seed)
        while True:
            yield from batches(training, options.batch // options.parts, rng)

    stream = parts()
    for _ in range(first * options.parts):
        next(stream)
    saved = shown = time.monotonic()
    recent_loss, recent_tokens = 0.0, 0
    for step in range(first, options.steps):
        progress = max(0, step - options.warm_up) / (options.steps - options.warm_up)
        rate = options.rate * min(
            (step + 1) / options.warm_up, 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        began = time.monotonic()
        optimizer.zero_grad()
        group_of_parts = [next(stream) for _ in range(options.parts)]
        targets = sum(len(row) - 1 for rows in group_of_parts for row in rows)
        for rows in group_of_parts:
            total, _ = loss_sum(model, rows)
            (total / targets).backward()
            recent_loss += total.item()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += targets
        recent_tokens += targets
        seconds += time.monotonic() - began
        last = step + 1 == options.steps
        if (step + 1) % 20 == 0:
            now = time.monotonic()
            print(
                f"step {step + 1} loss {recent_loss / recent_tokens:.4f} rate {rate:.2e} "
                f"tokens {seen} tokens/s {recent_tokens / (now - shown):.0f}",
                flush=True,
            )
            recent_loss, recent_tokens, shown = 0.0, 0, now
        if last or time.monotonic() - saved > options.save_seconds:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step + 1,
                "seen": seen,
                "seconds": seconds,
            }
            fresh = options.checkpoint.with_suffix(".new")
            torch.save(state, fresh)
            fresh.replace(options.checkpoint)
            loss = validation_loss(model, validation)
            print(
                f"step {step + 1} validation loss {loss:.4f} perplexity {math.exp(loss):.4f} "
                f"after {seconds:.0f} s",
                flush=True,
            )
            saved = shown = time.monotonic()
            recent_loss, recent_tokens = 0.0, 0
    write_folder(options.output, model)
    loss = validation_loss(model, validation)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16).float())
    rounded = validation_loss(model, validation)
    print(f"float32 perplexity {math.exp(loss):.4f}, BF16 perplexity {math.exp(rounded):.4f}")


if __name__ == "__main__":
    main()
