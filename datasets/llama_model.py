# SPDX-License-Identifier: Apache-2.0
"""The Llama architecture in float32, and its Hugging Face folder with BF16 tensors."""

import json
import math
import struct
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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


class CausalMix(torch.autograd.Function):
    """Causal softmax attention, one document and one block of queries at a time.

    The scores of a whole batch do not fit the cache of a core, and the passes
    over them would take most of the step; a block of them does, and a block
    also skips the keys that all of its queries must not see.
    """

    BLOCK = 128

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """`q` is rows x groups x shared x length x width; `k` and `v` lack `shared`."""
        rows, groups, shared, length, width = q.shape
        out = torch.empty_like(q)
        saved = []
        for row in range(rows):
            for start in range(0, length, CausalMix.BLOCK):
                end = min(start + CausalMix.BLOCK, length)
                block = q[row, :, :, start:end].reshape(groups, -1, width)
                hidden = mask[start:end, :end].repeat(shared, 1)
                scores = torch.baddbmm(
                    hidden, block, k[row, :, :end].transpose(1, 2), alpha=width**-0.5
                )
                weights = scores.softmax(-1)
                mixed = torch.bmm(weights, v[row, :, :end])
                out[row, :, :, start:end] = mixed.view(groups, shared, -1, width)
                saved.append(weights)
        ctx.weights = saved
        ctx.save_for_backward(q, k, v, out)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor):
        q, k, v, out = ctx.saved_tensors
        rows, groups, shared, length, width = q.shape
        inner = (grad * out).sum(-1, keepdim=True)
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        saved = iter(ctx.weights)
        for row in range(rows):
            for start in range(0, length, CausalMix.BLOCK):
                end = min(start + CausalMix.BLOCK, length)
                weights = next(saved)
                upper = grad[row, :, :, start:end].reshape(groups, -1, width)
                grad_v[row, :, :end] += torch.bmm(weights.transpose(1, 2), upper)
                scores = torch.bmm(upper, v[row, :, :end].transpose(1, 2))
                scores.sub_(inner[row, :, :, start:end].reshape(groups, -1, 1))
                scores.mul_(weights).mul_(width**-0.5)
                part = torch.bmm(scores, k[row, :, :end])
                grad_q[row, :, :, start:end] = part.view(groups, shared, -1, width)
                block = q[row, :, :, start:end].reshape(groups, -1, width)
                grad_k[row, :, :end] += torch.bmm(scores.transpose(1, 2), block)
        ctx.weights = None
        return grad_q, grad_k, grad_v, None


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
        q = rotate(q, cosine, sine).view(rows, groups, shared, length, width)
        mixed = CausalMix.apply(q, rotate(k, cosine, sine), v, mask)
        mixed = mixed.view(rows, groups * shared, length, width)
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
        mask = torch.full((length, length), -math.inf).triu(1)
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x, self.cosine[:length], self.sine[:length], mask)
        return F.linear(self.norm(x), self.embed_tokens.weight)


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
