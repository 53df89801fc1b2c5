// SPDX-License-Identifier: Apache-2.0
#include "models/model.h"

#include <array>
#include <utility>

#include "core/check.h"
#include "core/hash.h"
#include "models/packed_tensors.h"

namespace bitpact {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";
constexpr const char* kFinalNorm = "model.norm.weight";

std::string LayerPrefix(int layer) {
  return "model.layers." + std::to_string(layer) + ".";
}

std::string AttentionNormName(int layer) {
  return LayerPrefix(layer) + "input_layernorm.weight";
}

std::string MlpNormName(int layer) {
  return LayerPrefix(layer) + "post_attention_layernorm.weight";
}

// Takes tensors out of a checkpoint by name and remembers which it took.
class TensorTaker {
 public:
  explicit TensorTaker(const Checkpoint& checkpoint)
      : checkpoint_(checkpoint) {}

  [[nodiscard]] bool Has(const std::string& name) const {
    return checkpoint_.Find(name) != nullptr;
  }

  Expected<std::vector<float>> Take(const std::string& name,
                                    const std::vector<std::int64_t>& shape) {
    const StoredTensor* tensor = checkpoint_.Find(name);
    if (tensor == nullptr) {
      return Fail(
          ErrorCode::kNotFound,
          checkpoint_.file() + ": tensor " + QuotedName(name) + " is missing");
    }
    if (tensor->shape != shape) {
      return InvalidArgument(checkpoint_.file() + ": tensor " +
                             QuotedName(name) +
                             ": shape = " + ShapeText(tensor->shape) +
                             ": config.json asks for " + ShapeText(shape));
    }
    used_.insert(name);
    // The bytes are there, so the shape is no larger than the file.
    std::vector<float> values(
        tensor->bytes.size() /
        static_cast<std::size_t>(TensorTypeBytes(tensor->type)));
    Expected<void> widened = WidenToFloat(*tensor, checkpoint_.file(), values);
    if (!widened) return tl::unexpected(widened.error());
    return values;
  }

  // A second copy of a matrix that is not needed.
  void Ignore(const std::string& name) { used_.insert(name); }

  // kUnsupported names the first tensor that nobody took.
  [[nodiscard]] Expected<void> CheckAllUsed(const std::set<std::string>& packed,
                                            bool dense_left) const {
    for (const StoredTensor& tensor : checkpoint_.tensors()) {
      // Old files store the rotary frequencies, which follow from the
      // configuration.
      if (used_.contains(tensor.name) ||
          tensor.name.ends_with(".rotary_emb.inv_freq") ||
          (dense_left && packed.contains(tensor.name)) ||
          packed.contains(PackedMatrixName(tensor.name))) {
        continue;
      }
      return Fail(ErrorCode::kUnsupported,
                  checkpoint_.file() + ": tensor " + QuotedName(tensor.name) +
                      ": the Llama architecture has no such tensor");
    }
    return {};
  }

 private:
  const Checkpoint& checkpoint_;
  std::set<std::string> used_;
};

std::set<std::string> LinearNames(const ModelConfig& config) {
  std::set<std::string> names;
  for (int layer = 0; layer < config.num_layers; ++layer) {
    for (int kind = 0; kind < kLinearsPerBlock; ++kind) {
      names.insert(
          LinearMatrix(config, layer, static_cast<LinearKind>(kind)).tensor);
    }
  }
  return names;
}

struct Layer {
  std::vector<float> attention_norm;
  std::vector<float> mlp_norm;
  std::array<std::vector<float>, kLinearsPerBlock> linears;
};

Expected<Layer> TakeLayer(const ModelConfig& config,
                          int index,
                          const std::set<std::string>& packed,
                          TensorTaker& taker) {
  Layer layer;
  auto norm = taker.Take(AttentionNormName(index), {config.hidden_size});
  if (!norm) return tl::unexpected(norm.error());
  layer.attention_norm = std::move(*norm);
  norm = taker.Take(MlpNormName(index), {config.hidden_size});
  if (!norm) return tl::unexpected(norm.error());
  layer.mlp_norm = std::move(*norm);
  for (int kind = 0; kind < kLinearsPerBlock; ++kind) {
    const UnitMatrix matrix =
        LinearMatrix(config, index, static_cast<LinearKind>(kind));
    if (packed.contains(matrix.tensor)) continue;
    auto linear = taker.Take(matrix.tensor, {matrix.rows, matrix.cols});
    if (!linear) return tl::unexpected(linear.error());
    layer.linears.at(static_cast<std::size_t>(kind)) = std::move(*linear);
  }
  return layer;
}

}  // namespace

struct Model::Weights {
  Checkpoint checkpoint;
  std::vector<float> embedding;
  std::vector<float> head;  // empty when tied
  std::vector<float> final_norm;
  std::vector<Layer> layers;

  Expected<void> Take(const ModelConfig& config,
                      const std::set<std::string>& packed,
                      bool dense_left) {
    TensorTaker taker(checkpoint);
    const std::vector<std::int64_t> vocab_shape = {config.vocab_size,
                                                   config.hidden_size};
    const bool head_only =
        config.tied_embeddings && !taker.Has(kEmbedding) && taker.Has(kHead);
    auto values = taker.Take(head_only ? kHead : kEmbedding, vocab_shape);
    if (!values) return tl::unexpected(values.error());
    embedding = std::move(*values);
    if (config.tied_embeddings) {
      taker.Ignore(kHead);
    } else {
      values = taker.Take(kHead, vocab_shape);
      if (!values) return tl::unexpected(values.error());
      head = std::move(*values);
    }
    values = taker.Take(kFinalNorm, {config.hidden_size});
    if (!values) return tl::unexpected(values.error());
    final_norm = std::move(*values);
    for (int index = 0; index < config.num_layers; ++index) {
      Expected<Layer> layer = TakeLayer(config, index, packed, taker);
      if (!layer) return tl::unexpected(layer.error());
      layers.push_back(std::move(*layer));
    }
    return taker.CheckAllUsed(packed, dense_left);
  }
};

Expected<Model> Model::Load(const std::filesystem::path& folder) {
  return LoadWithout(folder, {});
}

Expected<Model> Model::LoadOutside(const std::filesystem::path& folder) {
  const Expected<ModelConfig> config = ReadModelConfig(folder / "config.json");
  if (!config) return tl::unexpected(config.error());
  return LoadSome(folder, LinearNames(*config), true);
}

Expected<std::vector<float>> Model::ReadLinear(int layer,
                                               LinearKind kind) const {
  const std::span<const float> held = linear(layer, kind);
  if (!held.empty()) return std::vector<float>(held.begin(), held.end());
  const UnitMatrix matrix = linear_matrix(layer, kind);
  return TensorTaker(weights_->checkpoint)
      .Take(matrix.tensor, {matrix.rows, matrix.cols});
}

Expected<Model> Model::LoadWithout(const std::filesystem::path& folder,
                                   const std::set<std::string>& packed) {
  return LoadSome(folder, packed, false);
}

Expected<Model> Model::LoadSome(const std::filesystem::path& folder,
                                const std::set<std::string>& packed,
                                bool dense_left) {
  Model model;
  model.folder_ = folder;
  Expected<ModelConfig> config = ReadModelConfig(folder / "config.json");
  if (!config) return tl::unexpected(config.error());
  model.config_ = std::move(*config);
  const Expected<std::string> config_hash = HashFile(folder / "config.json");
  if (!config_hash) return tl::unexpected(config_hash.error());
  Expected<Checkpoint> checkpoint = Checkpoint::Open(folder);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  auto weights = std::make_shared<Weights>();
  weights->checkpoint = std::move(*checkpoint);
  Expected<void> taken = weights->Take(model.config_, packed, dense_left);
  if (!taken) return tl::unexpected(taken.error());

  const std::set<std::string> linears = LinearNames(model.config_);
  for (const StoredTensor& tensor : weights->checkpoint.tensors()) {
    const auto bytes = static_cast<std::int64_t>(tensor.bytes.size());
    model.stored_bytes_ += bytes;
    const bool linear =
        linears.contains(tensor.name) ||
        linears.contains(PackedMatrixName(tensor.name)) ||
        linears.contains(PackedMatrixName(tensor.name) + ".weight");
    if (!linear) model.kept_bytes_ += bytes;
  }
  model.fingerprint_ =
      HashText(*config_hash + "\n" + weights->checkpoint.Fingerprint());
  model.weights_ = std::move(weights);
  return model;
}

const Checkpoint& Model::checkpoint() const { return weights_->checkpoint; }

std::span<const float> Model::embedding() const { return weights_->embedding; }

std::span<const float> Model::head() const {
  return config_.tied_embeddings ? weights_->embedding : weights_->head;
}

std::span<const float> Model::final_norm() const {
  return weights_->final_norm;
}

std::span<const float> Model::attention_norm(int layer) const {
  return weights_->layers.at(static_cast<std::size_t>(layer)).attention_norm;
}

std::span<const float> Model::mlp_norm(int layer) const {
  return weights_->layers.at(static_cast<std::size_t>(layer)).mlp_norm;
}

std::span<const float> Model::linear(int layer, LinearKind kind) const {
  return weights_->layers.at(static_cast<std::size_t>(layer))
      .linears.at(static_cast<std::size_t>(kind));
}

UnitMatrix Model::linear_matrix(int layer, LinearKind kind) const {
  BITPACT_CHECK(layer >= 0 && layer < config_.num_layers, "layer exists");
  return LinearMatrix(config_, layer, kind);
}

}  // namespace bitpact
