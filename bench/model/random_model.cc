// SPDX-License-Identifier: Apache-2.0
#include "bench/model/random_model.h"

#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "core/atomic_file.h"
#include "core/json_file.h"
#include "models/safetensors.h"

namespace bitpact {
namespace {

class TensorMaker {
 public:
  void Add(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    tensors_.push_back({{name, TensorType::kF32, shape, {}},
                        [this, count] { return Make(count); }});
  }

  [[nodiscard]] const std::vector<MadeTensor>& tensors() const {
    return tensors_;
  }

 private:
  std::span<const std::byte> Make(std::int64_t count) {
    values_.resize(static_cast<std::size_t>(count));
    for (float& value : values_) {
      state_ = state_ * 6364136223846793005U + 1442695040888963407U;
      value = (static_cast<float>(state_ >> 40U) * 0x1p-24F - 0.5F) * 0.1F;
    }
    return std::as_bytes(std::span<const float>(values_));
  }

  std::vector<MadeTensor> tensors_;
  std::vector<float> values_;
  std::uint64_t state_ = 1;
};

}  // namespace

Expected<void> WriteRandomModel(const RandomModelShape& shape,
                                const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  const Json config = {{"architectures", {"LlamaForCausalLM"}},
                       {"model_type", "llama"},
                       {"hidden_size", shape.hidden},
                       {"intermediate_size", shape.ffn},
                       {"num_hidden_layers", shape.layers},
                       {"num_attention_heads", shape.heads},
                       {"vocab_size", shape.vocab},
                       {"max_position_embeddings", 2048},
                       {"hidden_act", "silu"},
                       {"tie_word_embeddings", false}};
  const auto written =
      WriteFileAtomically(folder / "config.json", config.dump(1));
  if (!written) return written;
  TensorMaker maker;
  const std::int64_t hidden = shape.hidden;
  maker.Add("model.embed_tokens.weight", {shape.vocab, hidden});
  maker.Add("lm_head.weight", {shape.vocab, hidden});
  maker.Add("model.norm.weight", {hidden});
  for (int layer = 0; layer < shape.layers; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    maker.Add(at + "input_layernorm.weight", {hidden});
    maker.Add(at + "post_attention_layernorm.weight", {hidden});
    for (const char* name : {"q", "k", "v", "o"}) {
      maker.Add(at + "self_attn." + name + "_proj.weight", {hidden, hidden});
    }
    maker.Add(at + "mlp.gate_proj.weight", {shape.ffn, hidden});
    maker.Add(at + "mlp.up_proj.weight", {shape.ffn, hidden});
    maker.Add(at + "mlp.down_proj.weight", {hidden, shape.ffn});
  }
  return WriteSafetensors(folder / "model.safetensors", maker.tensors(), {});
}

void AddShapeFlags(CLI::App& app, RandomModelShape& shape) {
  app.add_option("--hidden", shape.hidden)->capture_default_str();
  app.add_option("--layers", shape.layers)->capture_default_str();
  app.add_option("--heads", shape.heads)->capture_default_str();
  app.add_option("--ffn", shape.ffn)->capture_default_str();
  app.add_option("--vocab", shape.vocab)->capture_default_str();
}

}  // namespace bitpact
