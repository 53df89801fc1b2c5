// SPDX-License-Identifier: Apache-2.0
// The limits are far above any model in use and low enough that products of two
// sizes, and of all sizes with four bytes, stay far below 2^63.
#include <cmath>
#include <optional>
#include <string>

#include "core/json_file.h"
#include "models/model.h"

namespace bitpact {
namespace {

constexpr std::int64_t kLargestWidth = 1 << 20;
constexpr std::int64_t kMostLayers = 1 << 12;
constexpr std::int64_t kMostHeads = 1 << 14;
constexpr std::int64_t kLargestHead = 1 << 12;
constexpr std::int64_t kLargestVocab = 1 << 24;
constexpr std::int64_t kLongestContext = 1 << 26;

// A field's value and the rule it breaks: the model is fine, bitpact cannot run
// it.
tl::unexpected<Error> Unsupported(const JsonReader& reader,
                                  const std::string& key,
                                  const std::string& rule) {
  Error error = reader.Member(key)->Violation(rule);
  error.code = ErrorCode::kUnsupported;
  return tl::unexpected(std::move(error));
}

// Reads fields one after the other and keeps the first error, so that the list
// of fields reads as a list.
class FieldReader {
 public:
  explicit FieldReader(const JsonReader& reader) : reader_(reader) {}

  int Count(const std::string& key,
            std::int64_t most,
            std::optional<std::int64_t> missing = {},
            std::int64_t least = 1) {
    if (missing && !reader_.Has(key)) return static_cast<int>(*missing);
    return static_cast<int>(Take(reader_.Integer(key, least, most), least));
  }

  float Positive(const JsonReader& from,
                 const std::string& key,
                 float missing) {
    if (!from.Has(key)) return missing;
    const double value = Take(from.Number(key), 1.0);
    const auto narrow = static_cast<float>(value);
    if (!error_ && (!(narrow > 0.0F) || !std::isfinite(narrow))) {
      error_ = from.Member(key)->Violation("must be positive and finite");
    }
    return narrow;
  }

  bool Flag(const std::string& key, bool missing) {
    return reader_.Has(key) ? Take(reader_.Bool(key), missing) : missing;
  }

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  template <typename T>
  T Take(const Expected<T>& value, T otherwise) {
    if (value) return *value;
    if (!error_) error_ = value.error();
    return otherwise;
  }

  const JsonReader& reader_;
  std::optional<Error> error_;
};

bool IsGptq(const Json& quantization) {
  return quantization.is_object() && quantization.contains("quant_method") &&
         quantization["quant_method"] == "gptq";
}

// What the forward pass does not do. A null is as good as a missing field.
Expected<void> CheckSupported(const JsonReader& root) {
  if (root.Has("model_type") &&
      root.Member("model_type")->json() != Json("llama")) {
    return Unsupported(root, "model_type", "must be \"llama\"");
  }
  const Expected<JsonReader> architectures = root.Member("architectures");
  if (!architectures) return tl::unexpected(architectures.error());
  if (architectures->json() != Json::array({"LlamaForCausalLM"})) {
    return Unsupported(root, "architectures", "must be [\"LlamaForCausalLM\"]");
  }
  if (root.Has("hidden_act") &&
      root.Member("hidden_act")->json() != Json("silu")) {
    return Unsupported(root, "hidden_act", "must be \"silu\"");
  }
  for (const char* bias : {"attention_bias", "mlp_bias"}) {
    if (root.Has(bias) && root.Member(bias)->json() != Json(false)) {
      return Unsupported(root, bias, "must be false");
    }
  }
  for (const char* field : {"rope_scaling", "sliding_window"}) {
    if (root.Has(field)) return Unsupported(root, field, "must be null");
  }
  // models/gptq_checkpoint.h reads those; their tensors tell them apart.
  if (root.Has("quantization_config") &&
      !IsGptq(root.Member("quantization_config")->json())) {
    return Unsupported(
        root, "quantization_config", "must be null or of quant_method gptq");
  }
  if (root.Has("partial_rotary_factor") &&
      root.Member("partial_rotary_factor")->json() != Json(1.0)) {
    return Unsupported(root, "partial_rotary_factor", "must be 1");
  }
  return {};
}

// rope_theta lies at the top, or in rope_parameters in newer files.
Expected<float> ReadRopeTheta(const JsonReader& root) {
  constexpr float kMissing = 10000.0F;
  FieldReader fields(root);
  float theta = fields.Positive(root, "rope_theta", kMissing);
  if (!fields.error() && root.Has("rope_parameters")) {
    const Expected<JsonReader> rope = root.Member("rope_parameters");
    if (!rope->json().is_object()) {
      return tl::unexpected(rope->Violation("must be an object"));
    }
    if (rope->Has("rope_type") &&
        rope->Member("rope_type")->json() != Json("default")) {
      return Unsupported(*rope, "rope_type", "must be \"default\"");
    }
    theta = fields.Positive(*rope, "rope_theta", theta);
  }
  if (const auto& error = fields.error()) return tl::unexpected(*error);
  return theta;
}

Expected<void> CheckConsistent(const ModelConfig& config,
                               const std::string& file) {
  const std::string heads = std::to_string(config.num_heads);
  if (config.num_heads % config.num_kv_heads != 0) {
    return InvalidArgument(file + ": num_key_value_heads = " +
                           std::to_string(config.num_kv_heads) +
                           ": must divide num_attention_heads = " + heads);
  }
  if (config.head_dim % 2 != 0) {
    return InvalidArgument(file +
                           ": head_dim = " + std::to_string(config.head_dim) +
                           ": must be even for the rotary embedding");
  }
  if (std::int64_t{config.num_heads} * config.head_dim > kLargestWidth) {
    return InvalidArgument(file + ": num_attention_heads = " + heads +
                           ", head_dim = " + std::to_string(config.head_dim) +
                           ": product must be at most " +
                           std::to_string(kLargestWidth));
  }
  if (config.bos_token_id >= config.vocab_size) {
    return InvalidArgument(
        file + ": bos_token_id = " + std::to_string(config.bos_token_id) +
        ": must be below vocab_size = " + std::to_string(config.vocab_size));
  }
  return {};
}

}  // namespace

Expected<ModelConfig> ReadModelConfig(const std::filesystem::path& file) {
  const Expected<Json> json = ParseJsonFile(file);
  if (!json) return tl::unexpected(json.error());
  const JsonReader root(&*json, file.string(), "");
  const Expected<void> supported = CheckSupported(root);
  if (!supported) return tl::unexpected(supported.error());

  ModelConfig config;
  config.architecture = "LlamaForCausalLM";
  FieldReader fields(root);
  config.hidden_size = fields.Count("hidden_size", kLargestWidth);
  config.intermediate_size = fields.Count("intermediate_size", kLargestWidth);
  config.num_layers = fields.Count("num_hidden_layers", kMostLayers);
  config.num_heads = fields.Count("num_attention_heads", kMostHeads);
  config.num_kv_heads =
      fields.Count("num_key_value_heads", kMostHeads, config.num_heads);
  config.head_dim = fields.Count(
      "head_dim", kLargestHead, config.hidden_size / config.num_heads);
  config.vocab_size = fields.Count("vocab_size", kLargestVocab);
  config.context = fields.Count("max_position_embeddings", kLongestContext);
  config.bos_token_id = fields.Count("bos_token_id", kLargestVocab, 1, 0);
  config.rms_norm_eps = fields.Positive(root, "rms_norm_eps", 1e-6F);
  config.tied_embeddings = fields.Flag("tie_word_embeddings", false);
  if (const auto& error = fields.error()) return tl::unexpected(*error);
  if (!root.Has("head_dim") && config.hidden_size % config.num_heads != 0) {
    return InvalidArgument(
        file.string() +
        ": hidden_size = " + std::to_string(config.hidden_size) +
        ": must be a multiple of num_attention_heads = " +
        std::to_string(config.num_heads) + " when head_dim is missing");
  }
  const Expected<float> theta = ReadRopeTheta(root);
  if (!theta) return tl::unexpected(theta.error());
  config.rope_theta = *theta;
  const Expected<void> consistent = CheckConsistent(config, file.string());
  if (!consistent) return tl::unexpected(consistent.error());
  return config;
}

}  // namespace bitpact
