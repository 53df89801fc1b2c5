// SPDX-License-Identifier: Apache-2.0
#include "models/gptq_checkpoint.h"

#include <array>
#include <functional>
#include <set>
#include <system_error>
#include <utility>

#include "core/atomic_file.h"
#include "models/copied_files.h"
#include "models/gptq_config.h"
#include "quant/gptq_layout.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMultiple = 32;

Error Unsupported(std::string message) {
  return {ErrorCode::kUnsupported, "--format gptq: " + std::move(message)};
}

UnitMatrix MatrixAt(const ModelConfig& config, std::size_t place) {
  const auto index = static_cast<int>(place);
  return LinearMatrix(config,
                      index / kLinearsPerBlock,
                      static_cast<LinearKind>(index % kLinearsPerBlock));
}

Expected<void> CheckUnit(const PlannedUnit& planned) {
  const std::string unit = "unit " + QuotedName(planned.unit.name);
  if (planned.format.base.row_mix() || planned.format.base.mixed_columns()) {
    return tl::unexpected(
        Unsupported(unit + " has format " + FormatName(planned.format.base) +
                    "; such checkpoints have one width a matrix"));
  }
  if (!IsGptqWidth(planned.format.base.bits)) {
    return tl::unexpected(
        Unsupported(unit + " has " + std::to_string(planned.format.base.bits) +
                    " bits; such checkpoints have 2, 3, 4 or 8"));
  }
  for (const UnitMatrix& matrix : planned.unit.matrices) {
    const std::string tensor = "tensor " + QuotedName(matrix.tensor);
    if (matrix.rows % kMultiple != 0 || matrix.cols % kMultiple != 0) {
      return tl::unexpected(Unsupported(
          tensor + " is " +
          ShapeText(std::array<std::int64_t, 2>{matrix.rows, matrix.cols}) +
          "; such checkpoints pack multiples of 32 (--format bitpact stores "
          "any shape)"));
    }
    const int group = FormatFor(planned.format, matrix.cols).group_size;
    if (group > 0 && matrix.cols % group != 0) {
      return tl::unexpected(
          Unsupported(tensor + ": group size " + std::to_string(group) +
                      " does not divide " + std::to_string(matrix.cols)));
    }
  }
  return {};
}

// Little-endian words, as safetensors stores them.
std::span<const std::byte> Bytes(const auto& values) {
  return std::as_bytes(std::span(values));
}

// Makes the arrays of modules one after another, as the file asks for them, and
// holds one module's at a time.
class ModuleWriter {
 public:
  // packed: stays.
  void Add(const UnitMatrix& matrix, const PackedMatrix& packed) {
    const std::string module = ModuleName(matrix.tensor);
    const std::int64_t bits = packed.format().bits;
    const std::int64_t groups = GroupsPerRow(packed.format(), matrix.cols);
    const auto add = [&](const char* suffix,
                         TensorType type,
                         std::vector<std::int64_t> shape,
                         std::function<std::span<const std::byte>()> make) {
      tensors_.push_back(
          {{module + suffix, type, std::move(shape), {}}, std::move(make)});
    };
    add(".qweight",
        TensorType::kI32,
        {matrix.cols * bits / kMultiple, matrix.rows},
        [this, &packed] { return Bytes(Arrays(packed).qweight); });
    add(".qzeros",
        TensorType::kI32,
        {groups, matrix.rows * bits / kMultiple},
        [this, &packed] { return Bytes(Arrays(packed).qzeros); });
    add(".scales", TensorType::kF16, {groups, matrix.rows}, [this, &packed] {
      scales_ = ToGptqScales(packed);
      return std::span<const std::byte>(scales_);
    });
    add(".g_idx", TensorType::kI32, {matrix.cols}, [this, &packed] {
      return Bytes(Arrays(packed).g_idx);
    });
  }
  void Add(const StoredTensor& tensor) {
    tensors_.push_back({tensor, [bytes = tensor.bytes] { return bytes; }});
  }
  Expected<void> Write(const fs::path& file) const {
    return WriteSafetensors(file, tensors_, {{"format", "pt"}});
  }
  // Of what was written.
  [[nodiscard]] std::int64_t wrapped_zeros() const { return wrapped_zeros_; }

 private:
  const GptqArrays& Arrays(const PackedMatrix& packed) {
    if (made_ != &packed) {
      made_ = &packed;
      arrays_ = ToGptqArrays(packed);
      wrapped_zeros_ += arrays_.wrapped_zeros;
    }
    return arrays_;
  }

  std::vector<MadeTensor> tensors_;
  const PackedMatrix* made_ = nullptr;
  GptqArrays arrays_;
  std::vector<std::byte> scales_;
  std::int64_t wrapped_zeros_ = 0;
};

Expected<void> WriteConfigs(const Model& model,
                            const Json& quantization,
                            const fs::path& folder) {
  Expected<Json> config = ParseJsonFile(model.folder() / "config.json");
  if (!config) return tl::unexpected(config.error());
  (*config)["quantization_config"] = quantization;
  const Expected<void> done =
      WriteFileAtomically(folder / "config.json", config->dump(1) + "\n");
  if (!done) return done;
  return WriteFileAtomically(folder / "quantize_config.json",
                             quantization.dump(1) + "\n");
}

// The configuration, wherever it is; its file's name goes to `file`.
Expected<Json> FindConfig(const fs::path& folder, std::string& file) {
  file = (folder / "config.json").string();
  Expected<Json> config = ParseJsonFile(file);
  if (!config) return config;
  if (config->is_object() && config->contains("quantization_config")) {
    return Json((*config)["quantization_config"]);
  }
  file = (folder / "quantize_config.json").string();
  return ParseJsonFile(file);
}

Expected<PackedMatrix> ReadModule(const Checkpoint& checkpoint,
                                  const UnitMatrix& matrix,
                                  const BitFormat& format,
                                  int version) {
  const std::string module = ModuleName(matrix.tensor);
  std::array<std::span<const std::byte>, 4> arrays;
  std::size_t count = 0;
  for (const auto& [suffix, type] : {std::pair(".qweight", TensorType::kI32),
                                     std::pair(".qzeros", TensorType::kI32),
                                     std::pair(".scales", TensorType::kF16),
                                     std::pair(".g_idx", TensorType::kI32)}) {
    const std::string place =
        checkpoint.file() + ": tensor " + QuotedName(module + suffix);
    const StoredTensor* stored = checkpoint.Find(module + suffix);
    if (stored == nullptr) {
      return Fail(ErrorCode::kNotFound, place + " is missing");
    }
    if (stored->type != type) {
      return Fail(ErrorCode::kUnsupported,
                  place + " is " + TensorTypeName(stored->type) + ", must be " +
                      TensorTypeName(type));
    }
    arrays.at(count++) = stored->bytes;
  }
  auto packed = FromGptqArrays(format,
                               matrix.rows,
                               matrix.cols,
                               {arrays[0], arrays[1], arrays[2], arrays[3]},
                               version);
  if (!packed) {
    Error error = packed.error();
    error.message = checkpoint.file() + ": module " + QuotedName(module) +
                    ": " + error.message;
    return tl::unexpected(std::move(error));
  }
  return packed;
}

}  // namespace

Expected<GptqPlan> PlanForGptq(const AllocationPlan& plan) {
  GptqPlan result{plan, {}};
  std::size_t changed = 0;
  result.plan.size_bytes = 0;
  for (PlannedUnit& planned : result.plan.units) {
    const auto valid = CheckUnit(planned);
    if (!valid) return tl::unexpected(valid.error());
    const BitFormat before = planned.format.base;
    planned.format.base.scale_type = ScaleType::kFloat16;
    if (!before.symmetric()) {
      planned.format.base.zero_point_type = ZeroPointType::kUint8;
    }
    changed += before != planned.format.base ? 1 : 0;
    planned.size_bytes = StoredBytes(planned.format, planned.unit);
    result.plan.size_bytes += planned.size_bytes;
  }
  if (changed > 0) {
    result.notes.push_back(
        "GPTQ checkpoints have float16 scales and integer zero-points: " +
        std::to_string(changed) + " of " +
        std::to_string(result.plan.units.size()) +
        " units get these instead of float shifts, and " +
        std::to_string(plan.size_bytes - result.plan.size_bytes) +
        " bytes less; figures measured with shifts do not hold exactly");
  }
  return result;
}

Expected<std::vector<std::string>> SaveGptqFolder(
    const QuantizedModel& quantized,
    const Model& model,
    const fs::path& folder) {
  std::error_code ignored;
  if (fs::equivalent(folder, model.folder(), ignored)) {
    return InvalidArgument(folder.string() +
                           ": is the folder the model was read from");
  }
  Expected<void> done = MakeWritableFolder(folder);
  if (!done) return tl::unexpected(done.error());
  std::vector<std::pair<std::string, std::optional<BitFormat>>> formats;
  ModuleWriter writer;
  std::set<std::string> packed_names;
  for (std::size_t place = 0; place < quantized.packed().size(); ++place) {
    const UnitMatrix matrix = MatrixAt(model.config(), place);
    const SharedMatrix& packed = quantized.packed()[place];
    formats.emplace_back(ModuleName(matrix.tensor), std::nullopt);
    if (packed == nullptr) continue;
    formats.back().second = packed->format();
    packed_names.insert(matrix.tensor);
    writer.Add(matrix, *packed);
  }
  for (const StoredTensor& tensor : model.checkpoint().tensors()) {
    if (!packed_names.contains(tensor.name)) writer.Add(tensor);
  }
  done = WriteConfigs(model, GptqConfigJson(formats), folder);
  if (!done) return tl::unexpected(done.error());
  done = CopyTokenizerFiles(model.folder(), folder);
  if (!done) return tl::unexpected(done.error());
  done = writer.Write(folder / "model.safetensors");
  if (!done) return tl::unexpected(done.error());
  std::vector<std::string> notes;
  if (writer.wrapped_zeros() > 0) {
    notes.push_back(std::to_string(writer.wrapped_zeros()) +
                    " groups have zero-point 0, which version 1 stores as "
                    "2^bits - 1; readers that add 1 without the modulus get "
                    "them wrong");
  }
  return notes;
}

bool IsGptqFolder(const fs::path& folder) {
  std::string file;
  const Expected<Json> config = FindConfig(folder, file);
  if (!config || !config->is_object() || !config->contains("bits"))
    return false;
  return !config->contains("quant_method") ||
         (*config)["quant_method"] == "gptq";
}

Expected<QuantizedCheckpoint> LoadGptqFolder(const fs::path& folder) {
  std::string file;
  const Expected<Json> json = FindConfig(folder, file);
  if (!json) return tl::unexpected(json.error());
  const Expected<GptqConfig> gptq =
      GptqConfig::Read(JsonReader(&*json, file, "quantization_config"));
  if (!gptq) return tl::unexpected(gptq.error());
  const auto config = ReadModelConfig(folder / "config.json");
  if (!config) return tl::unexpected(config.error());
  std::set<std::string> names;
  std::vector<Unit> units;
  std::vector<FormatRule> formats;
  std::vector<std::size_t> places;
  const auto count =
      static_cast<std::size_t>(config->num_layers) * kLinearsPerBlock;
  for (std::size_t place = 0; place < count; ++place) {
    const UnitMatrix matrix = MatrixAt(*config, place);
    const auto found = gptq->FormatOf(ModuleName(matrix.tensor));
    if (!found) {
      Error error = found.error();
      error.message = file + ": " + error.message;
      return tl::unexpected(std::move(error));
    }
    const std::optional<BitFormat>& format = *found;
    if (!format) continue;
    names.insert(matrix.tensor);
    names.insert(ModuleName(matrix.tensor));
    units.push_back({ModuleName(matrix.tensor), {matrix}});
    formats.push_back({*format, false});
    places.push_back(place);
  }
  Expected<Model> model = Model::LoadWithout(folder, names);
  if (!model) return tl::unexpected(model.error());
  std::vector<SharedMatrix> packed(count);
  for (std::size_t i = 0; i < places.size(); ++i) {
    auto matrix = ReadModule(model->checkpoint(),
                             units[i].matrices.front(),
                             formats[i].base,
                             gptq->version());
    if (!matrix) return tl::unexpected(matrix.error());
    packed[places[i]] =
        std::make_shared<const PackedMatrix>(std::move(*matrix));
  }
  QuantizedModel quantized = QuantizedModel::FromMatrices(
      *model, MakePlan(units, formats, "gptq"), std::move(packed));
  return QuantizedCheckpoint{std::move(*model), std::move(quantized)};
}

}  // namespace bitpact
