// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_MODEL_H_
#define BITPACT_MODELS_MODEL_H_

// A decoder-only transformer of the Llama architecture in full precision:
// RMSNorm, rotary embedding in the rotate-half form, grouped-query attention,
// SwiGLU, tied or untied embeddings. Touvron et al., LLaMA (2023), section 2.2;
// Llama 2 (2023) for grouped-query attention.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/unit.h"
#include "models/checkpoint.h"

namespace bitpact {

// Sizes and constants from config.json; all counts > 0 and consistent once
// ReadModelConfig has returned them.
struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM"
  int hidden_size = 0;
  int intermediate_size = 0;
  int num_layers = 0;
  int num_heads = 0;
  int num_kv_heads = 0;  // divides num_heads
  int head_dim = 0;      // even
  int vocab_size = 0;
  int context = 0;  // max_position_embeddings
  float rms_norm_eps = 1e-5F;
  float rope_theta = 10000.0F;
  bool tied_embeddings = false;
  int bos_token_id = 1;
};

// Reads and checks a Hugging Face config.json. Missing fields mean what they
// mean there: num_key_value_heads = num_attention_heads, head_dim = hidden_size
// / num_attention_heads, rope_theta = 10000 (also read from rope_parameters),
// rms_norm_eps = 1e-6, tie_word_embeddings = false, bos_token_id = 1.
// kUnsupported: another architecture, activation, rope scaling or biases;
// kInvalidArgument: a missing, negative or contradictory size; kDataLoss: no
// JSON; kNotFound: no such file. The field and its value are named.
Expected<ModelConfig> ReadModelConfig(const std::filesystem::path& file);

// The matrices of a block that may be stored in few bits, in this order.
enum class LinearKind : std::uint8_t { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr int kLinearsPerBlock = 7;

// Name and shape of a linear matrix; "model.layers.0.self_attn.q_proj.weight".
// 0 <= layer < num_layers.
UnitMatrix LinearMatrix(const ModelConfig& config, int layer, LinearKind kind);

// A model's weights as float32, immutable and shared between threads (a copy
// shares them). Memory: 4 bytes a weight.
class Model {
 public:
  // Loads config.json and model.safetensors (or its shards) of a Hugging Face
  // folder. Values are widened to float32. With tied embeddings the one matrix
  // may be stored as the embedding or as the head. kDataLoss: truncated or
  // contradictory file, NaN or infinity (tensor and index named); kNotFound:
  // file or tensor missing; kInvalidArgument: a tensor of the wrong shape;
  // kUnsupported: a tensor that the architecture has no use for.
  static Expected<Model> Load(const std::filesystem::path& folder);

  // The same for a folder whose linear matrices of these names are packed:
  // they are neither expected nor read, linear() of them is empty, and tensors
  // called NAME.something are left to the caller.
  static Expected<Model> LoadWithout(const std::filesystem::path& folder,
                                     const std::set<std::string>& packed);

  // The same without any linear matrix: these stay on the disk, linear() of
  // them is empty, and ReadLinear widens one when it is needed. For models that
  // are larger than the memory. Tensors other than linear matrices are read and
  // checked.
  static Expected<Model> LoadOutside(const std::filesystem::path& folder);

  // [rows, cols] of linear_matrix(layer, kind) as float32, wherever it is.
  // Errors: WidenToFloat's and those of a missing tensor or a wrong shape.
  [[nodiscard]] Expected<std::vector<float>> ReadLinear(int layer,
                                                        LinearKind kind) const;

  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  // Of config.json and the weights file together (core/hash.h).
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }
  // The tensors as they are stored.
  [[nodiscard]] const Checkpoint& checkpoint() const;

  // [vocab_size, hidden_size]
  [[nodiscard]] std::span<const float> embedding() const;
  // [vocab_size, hidden_size]; the embedding when tied.
  [[nodiscard]] std::span<const float> head() const;
  // [hidden_size]
  [[nodiscard]] std::span<const float> final_norm() const;
  [[nodiscard]] std::span<const float> attention_norm(int layer) const;
  [[nodiscard]] std::span<const float> mlp_norm(int layer) const;
  // [rows, cols] of linear_matrix(layer, kind); empty when LoadWithout or
  // LoadOutside left it out.
  [[nodiscard]] std::span<const float> linear(int layer, LinearKind kind) const;
  // LinearMatrix(config(), layer, kind).
  [[nodiscard]] UnitMatrix linear_matrix(int layer, LinearKind kind) const;

  // Bytes on disk of everything that is not a block's linear matrix, packed or
  // not (embedding, head, norms), in the checkpoint's own type.
  [[nodiscard]] std::int64_t kept_bytes() const { return kept_bytes_; }
  // Bytes on disk of all tensors.
  [[nodiscard]] std::int64_t stored_bytes() const { return stored_bytes_; }

 private:
  struct Weights;
  // dense_left: packed matrices may be there in full precision as well.
  static Expected<Model> LoadSome(const std::filesystem::path& folder,
                                  const std::set<std::string>& packed,
                                  bool dense_left);
  ModelConfig config_;
  std::filesystem::path folder_;
  std::string fingerprint_;
  std::int64_t kept_bytes_ = 0;
  std::int64_t stored_bytes_ = 0;
  std::shared_ptr<const Weights> weights_;
};

enum class Granularity : std::uint8_t { kBlock, kFused, kMatrix };

// All linear matrices of the model as units, layer by layer. kBlock: one unit a
// block; kFused: qkv, o, gate_up, down (what inference engines multiply at
// once); kMatrix: seven a block. Names: "layers.3", "layers.3.qkv",
// "layers.3.mlp.gate_up", "layers.3.self_attn.q_proj".
std::vector<Unit> MakeUnits(const Model& model, Granularity granularity);

// The place of a unit's matrices in a WeightSet (models/transformer.h): the
// same order as Unit::matrices. kNotFound names a tensor that is no linear
// matrix of the model; kInvalidArgument one whose shape the model contradicts.
Expected<std::vector<int>> WeightIndices(const ModelConfig& config,
                                         const Unit& unit);
Expected<std::vector<int>> WeightIndices(const Model& model, const Unit& unit);

}  // namespace bitpact

#endif  // BITPACT_MODELS_MODEL_H_
