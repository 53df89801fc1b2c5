// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_SAFETENSORS_H_
#define BITPACT_MODELS_SAFETENSORS_H_

// The safetensors file format (huggingface/safetensors, README "Format"):
//
//   8 bytes   length N of the header, unsigned, little end first
//   N bytes   JSON object: tensor name -> {dtype, shape, data_offsets}, where
//             data_offsets = [begin, end) count from the byte behind the
//             header; "__metadata__" -> object of strings
//   the rest  the tensors' bytes, row-major, little end first, without holes
//
// The file is mapped, not read. Nothing in it is believed: every length and
// offset is checked before use, so a tensor that is handed out lies inside the
// file and has as many bytes as its shape and type take.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/mapped_file.h"

namespace bitpact {

enum class TensorType : std::uint8_t { kF32, kF16, kBF16, kI32, kI8, kU8 };

// "F32", as in the file.
const char* TensorTypeName(TensorType type);
// Bytes of one element.
constexpr std::int64_t TensorTypeBytes(TensorType type) {
  switch (type) {
    case TensorType::kF32:
    case TensorType::kI32:
      return 4;
    case TensorType::kF16:
    case TensorType::kBF16:
      return 2;
    default:
      return 1;
  }
}

// A tensor somebody else owns. bytes.size() == product(shape) * element bytes;
// not aligned in general.
struct StoredTensor {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;  // entries >= 0; empty: a scalar
  std::span<const std::byte> bytes;
};

// "[2, 64]", for messages.
std::string ShapeText(std::span<const std::int64_t> shape);
// A name from a file between quotes, control characters escaped, long ones cut,
// so that messages stay one line.
std::string QuotedName(const std::string& name);

class SafetensorsFile {
 public:
  // kNotFound, kUnavailable: core/mapped_file.h. kDataLoss: too short; the
  // header is longer than the file (or than 100 MB), is no JSON object, names a
  // tensor twice, lacks a field or has one of the wrong kind; a negative or
  // overflowing shape; offsets that are outside of the file, overlap, leave a
  // hole or do not fit shape and type. kUnsupported: a dtype not listed above.
  // The message names file, tensor, field and value.
  // O(n log n) in the number of tensors.
  static Expected<SafetensorsFile> Open(const std::filesystem::path& path);

  // In the order of their bytes; valid as long as this object or a copy.
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const {
    return tensors_;
  }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const {
    return metadata_;
  }
  // The whole file.
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return file_.bytes();
  }

 private:
  MappedFile file_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Writes the tensors, largest element type first (so that each is aligned to
// its type) and otherwise in the given order; atomically, without a copy of the
// data. Names unique and sizes right: CHECKed.
Expected<void> WriteSafetensors(
    const std::filesystem::path& path,
    const std::vector<StoredTensor>& tensors,
    const std::map<std::string, std::string>& metadata);

// A tensor whose bytes are made when it is their turn to be written. make:
// called once, in the order of the file; what it returns is used until the next
// call of any. tensor.bytes is not read.
struct MadeTensor {
  StoredTensor tensor;
  std::function<std::span<const std::byte>()> make;
};
// The same file, for contents that need not be in memory together.
Expected<void> WriteSafetensors(
    const std::filesystem::path& path,
    const std::vector<MadeTensor>& tensors,
    const std::map<std::string, std::string>& metadata);

// Widens F32, F16 or BF16 values into out (as many as the tensor has).
// kDataLoss: a NaN or infinity (tensor and index named); kUnsupported: an
// integer type. `file`: for messages.
Expected<void> WidenToFloat(const StoredTensor& tensor,
                            const std::string& file,
                            std::span<float> out);

}  // namespace bitpact

#endif  // BITPACT_MODELS_SAFETENSORS_H_
