// SPDX-License-Identifier: Apache-2.0
#include "tests/models/tiny_model.h"

#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/check.h"
#include "core/random.h"
#include "gtest/gtest.h"

namespace bitpact::test {
namespace {

// Normal numbers of float16 only, which the tests keep to.
std::uint16_t ToHalf(float value) {
  if (value == 0.0F) return 0;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto exponent = static_cast<int>((bits >> 23U) & 0xFFU) - 127 + 15;
  if (exponent <= 0) return 0;
  BITPACT_CHECK(exponent < 31, "fits float16");
  return static_cast<std::uint16_t>(
      ((bits >> 16U) & 0x8000U) |
      (static_cast<std::uint32_t>(exponent) << 10U) | ((bits >> 13U) & 0x3FFU));
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = testing::TempDir() + "bitpact_models.XXXXXX";
  BITPACT_CHECK(::mkdtemp(name.data()) != nullptr, "a temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::byte> Narrow(TensorType type,
                              const std::vector<float>& values) {
  const auto size = static_cast<std::size_t>(TensorTypeBytes(type));
  std::vector<std::byte> bytes(values.size() * size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    const std::uint16_t narrow = type == TensorType::kF16
                                     ? ToHalf(values[i])
                                     : static_cast<std::uint16_t>(bits >> 16U);
    std::memcpy(bytes.data() + i * size,
                size == 4 ? static_cast<const void*>(&bits) : &narrow,
                size);
  }
  return bytes;
}

TinyModel::TinyModel(const TinyModelShape& shape) : shape_(shape) {
  config = {{"architectures", {"LlamaForCausalLM"}},
            {"model_type", "llama"},
            {"hidden_size", shape.hidden},
            {"intermediate_size", shape.intermediate},
            {"num_hidden_layers", shape.layers},
            {"num_attention_heads", shape.heads},
            {"num_key_value_heads", shape.kv_heads},
            {"head_dim", shape.head_dim},
            {"vocab_size", shape.vocab},
            {"max_position_embeddings", shape.context},
            {"rms_norm_eps", 1e-5},
            {"rope_theta", 10000.0},
            {"hidden_act", "silu"},
            {"tie_word_embeddings", shape.tied},
            {"bos_token_id", 1}};
  const std::int64_t hidden = shape.hidden;
  const std::int64_t mlp = shape.intermediate;
  const std::int64_t q = std::int64_t{shape.heads} * shape.head_dim;
  const std::int64_t kv = std::int64_t{shape.kv_heads} * shape.head_dim;
  if (!shape.head_only) {
    AddRandom("model.embed_tokens.weight", {shape.vocab, hidden}, 0.0, 1.0);
  }
  if (shape.head_only || !shape.tied) {
    AddRandom("lm_head.weight", {shape.vocab, hidden}, 0.0, 0.5);
  }
  AddRandom("model.norm.weight", {hidden}, 1.0, 0.1);
  for (int layer = 0; layer < shape.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    AddRandom(prefix + "input_layernorm.weight", {hidden}, 1.0, 0.1);
    AddRandom(prefix + "post_attention_layernorm.weight", {hidden}, 1.0, 0.1);
    const std::map<std::string, std::vector<std::int64_t>> linears = {
        {"self_attn.q_proj", {q, hidden}},
        {"self_attn.k_proj", {kv, hidden}},
        {"self_attn.v_proj", {kv, hidden}},
        {"self_attn.o_proj", {hidden, q}},
        {"mlp.gate_proj", {mlp, hidden}},
        {"mlp.up_proj", {mlp, hidden}},
        {"mlp.down_proj", {hidden, mlp}}};
    for (const auto& [name, size] : linears) {
      AddRandom(prefix + name + ".weight",
                size,
                0.0,
                1.0 / std::sqrt(static_cast<double>(size[1])));
    }
  }
  Write();
}

void TinyModel::AddRandom(const std::string& name,
                          const std::vector<std::int64_t>& shape,
                          double mean,
                          double deviation) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  RandomStream stream(shape_.seed, name);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(mean + deviation * stream.Normal()));
  }
  tensors[name] = {shape_.type, shape, Narrow(shape_.type, values)};
}

void TinyModel::WriteConfig() const {
  WriteWhole(folder_.File("config.json"), config.dump());
}

void TinyModel::Write() const {
  WriteConfig();
  std::vector<StoredTensor> stored;
  for (const auto& [name, tensor] : tensors) {
    stored.push_back({name, tensor.type, tensor.shape, tensor.bytes});
  }
  const Expected<void> written =
      WriteSafetensors(folder_.File("model.safetensors"), stored, {});
  BITPACT_CHECK(written.has_value(), "the model is written");
}

Model TinyModel::Load() const {
  Expected<Model> model = Model::Load(folder());
  EXPECT_TRUE(model) << model.error().message;
  return std::move(*model);
}

std::vector<int> RandomTokens(int count, int vocab, std::uint64_t seed) {
  RandomStream stream(seed, "test/tokens");
  std::vector<int> tokens;
  for (int i = 0; i < count; ++i) {
    tokens.push_back(static_cast<int>(stream.UniformInt(vocab)));
  }
  return tokens;
}

std::string ReadWhole(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void WriteWhole(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << bytes;
}

}  // namespace bitpact::test
