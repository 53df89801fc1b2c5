// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_PART_FILES_H_
#define BITPACT_MODELS_PART_FILES_H_

// Finished matrices of a quantization that is under way, one file each, so that
// interrupted work goes on at the matrix where it stopped and finished matrices
// take no memory (they are mapped). A folder holds
//
//   key.json                 what the parts were made from, field by field
//   TENSOR.safetensors       the arrays of one matrix (models/packed_tensors.h)
//
// Every file appears whole or not at all.

#include <filesystem>
#include <map>
#include <string>

#include "core/error.h"
#include "models/sequential_quantizer.h"

namespace bitpact {

class PartFiles {
 public:
  // Makes the folder, or goes on with one that has the same key.
  // kInvalidArgument: its key differs (the first field is named, nothing is
  // changed); kUnavailable: it cannot be written.
  static Expected<PartFiles> Open(
      const std::filesystem::path& folder,
      const std::map<std::string, std::string>& key);

  // A store that keeps results here and hands them out mapped. A part that is
  // truncated or of another format is kDataLoss. Valid as long as this object.
  [[nodiscard]] PackedStore Store() const;

  // Deletes the folder. Mapped matrices stay valid.
  void Remove() const;

 private:
  [[nodiscard]] std::filesystem::path FileOf(const LinearJob& job) const;
  [[nodiscard]] Expected<SharedMatrix> Find(const LinearJob& job) const;
  [[nodiscard]] Expected<SharedMatrix> Put(const LinearJob& job,
                                           const PackedMatrix& packed) const;

  std::filesystem::path folder_;
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_PART_FILES_H_
