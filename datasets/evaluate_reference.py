# SPDX-License-Identifier: Apache-2.0
"""Perplexity of a Hugging Face Llama folder, by an independent float32 forward.

The protocol: split the text at <|endoftext|>, strip each document, encode it
with BOS in front, cut it at the window (the context, unless told otherwise,
BOS counted), skip it if it has fewer than 16 tokens, and stop after the
document that passes the wanted number of predicted tokens.  The figure is the
mean over all predicted tokens.

It shares no code with the training, so that the two can be held against each
other, and its values can serve as golden values for other implementations.
"""

import argparse
import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path

import sentencepiece
import torch
from torch import Tensor

SEPARATOR = "<|endoftext|>"
SHORTEST = 16
TYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, in float32."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=TYPES[entry["dtype"]])
        tensors[name] = flat.float().view(entry["shape"])
    return tensors


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a folder, from one file or several."""
    weights: dict[str, Tensor] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        weights.update(read_safetensors(path))
    return weights


class ReferenceLlama:
    """The forward pass, written as plainly as possible."""

    def __init__(self, config: dict, weights: dict[str, Tensor]) -> None:
        self.heads = config["num_attention_heads"]
        self.groups = config.get("num_key_value_heads", self.heads)
        self.width = config.get("head_dim") or config["hidden_size"] // self.heads
        self.layers = config["num_hidden_layers"]
        self.eps = config.get("rms_norm_eps", 1e-6)
        self.weights = weights
        embedding = weights["model.embed_tokens.weight"]
        self.head = weights.get("lm_head.weight", embedding)
        if config.get("tie_word_embeddings", False):
            self.head = embedding
        if config.get("rope_scaling"):
            raise SystemExit("scaled rotary embeddings are not supported")
        frequencies = config.get("rope_theta", 10000.0) ** -(
            torch.arange(0, self.width, 2, dtype=torch.float32) / self.width
        )
        positions = torch.arange(config["max_position_embeddings"], dtype=torch.float32)
        angles = positions[:, None] * frequencies[None, :]
        self.cosine, self.sine = angles.cos(), angles.sin()

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean = (x * x).mean(-1, keepdim=True)
        return x / torch.sqrt(mean + self.eps) * self.weights[name]

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.weights[name].T

    def rotate(self, x: Tensor) -> Tensor:
        """Rotate the pairs (i, i + width / 2) of heads x length x width."""
        cosine, sine = self.cosine[: x.shape[1]], self.sine[: x.shape[1]]
        low, high = x[..., : self.width // 2], x[..., self.width // 2 :]
        return torch.cat((low * cosine - high * sine, high * cosine + low * sine), -1)

    def attention(self, x: Tensor, prefix: str) -> Tensor:
        def heads(name: str, count: int) -> Tensor:
            projected = self.linear(x, f"{prefix}.{name}.weight")
            return projected.view(-1, count, self.width).transpose(0, 1)

        queries = self.rotate(heads("q_proj", self.heads))
        keys = self.rotate(heads("k_proj", self.groups))
        values = heads("v_proj", self.groups)
        mixed = []
        for head in range(self.heads):
            group = head * self.groups // self.heads
            scores = queries[head] @ keys[group].T / math.sqrt(self.width)
            future = torch.ones_like(scores, dtype=torch.bool).triu(1)
            mixed.append(scores.masked_fill(future, -math.inf).softmax(-1) @ values[group])
        return self.linear(torch.cat(mixed, -1), f"{prefix}.o_proj.weight")

    def feed_forward(self, x: Tensor, prefix: str) -> Tensor:
        gate = self.linear(x, f"{prefix}.gate_proj.weight")
        up = self.linear(x, f"{prefix}.up_proj.weight")
        return self.linear(gate * torch.sigmoid(gate) * up, f"{prefix}.down_proj.weight")

    def logits(self, tokens: list[int]) -> Tensor:
        x = self.weights["model.embed_tokens.weight"][tokens]
        for number in range(self.layers):
            layer = f"model.layers.{number}"
            normed = self.norm(x, f"{layer}.input_layernorm.weight")
            x = x + self.attention(normed, f"{layer}.self_attn")
            normed = self.norm(x, f"{layer}.post_attention_layernorm.weight")
            x = x + self.feed_forward(normed, f"{layer}.mlp")
        return self.norm(x, "model.norm.weight") @ self.head.T


@torch.no_grad()
def token_losses(model: ReferenceLlama, tokens: list[int]) -> Tensor:
    """Negative log-likelihood of every token but the first, in nats."""
    predictions = model.logits(tokens[:-1]).double().log_softmax(-1)
    return -predictions[torch.arange(len(tokens) - 1), tokens[1:]]


def documents(
    text: str, tokenizer: sentencepiece.SentencePieceProcessor, window: int
) -> Iterator[list[int]]:
    """The documents that count, as token ids."""
    for part in text.split(SEPARATOR):
        tokens = [tokenizer.bos_id(), *tokenizer.encode(part.strip())][:window]
        if len(tokens) >= SHORTEST:
            yield tokens


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder with config.json and tokenizer.model")
    parser.add_argument("text", type=Path)
    parser.add_argument("--tokens", type=int, default=20_000, help="predicted tokens to pass")
    parser.add_argument(
        "--window",
        type=int,
        help="tokens to cut documents at; one more than the context is the most, as the last "
        "token is only predicted",
    )
    parser.add_argument("--dump", type=Path, help="write the first document's losses as JSON")
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    torch.set_num_threads(1)
    config = json.loads((options.model / "config.json").read_text(encoding="utf-8"))
    context = config["max_position_embeddings"]
    window = context if options.window is None else options.window
    if not 2 <= window <= context + 1:
        raise SystemExit(f"--window must be 2 to {context + 1}")
    tokenizer = sentencepiece.SentencePieceProcessor(
        model_file=str(options.model / "tokenizer.model")
    )
    model = ReferenceLlama(config, read_weights(options.model))
    text = options.text.read_text(encoding="utf-8")
    used, count, total = 0, 0, 0.0
    for tokens in documents(text, tokenizer, window):
        losses = token_losses(model, tokens)
        if options.dump and used == 0:
            golden = {"tokens": tokens, "negative_log_likelihoods": losses.tolist()}
            options.dump.write_text(json.dumps(golden) + "\n", encoding="ascii")
        used += 1
        count += len(losses)
        total += losses.sum().item()
        if count >= options.tokens:
            break
    if count == 0:
        raise SystemExit(f"no document of at least {SHORTEST} tokens")
    mean = total / count
    print(
        f"documents {used} predicted_tokens {count} mean_nll {mean:.6f} "
        f"perplexity {math.exp(mean):.6f}"
    )


if __name__ == "__main__":
    main()
