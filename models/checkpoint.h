// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_CHECKPOINT_H_
#define BITPACT_MODELS_CHECKPOINT_H_

// The tensors of a Hugging Face folder: model.safetensors, or the shards that
// model.safetensors.index.json lists.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "models/safetensors.h"

namespace bitpact {

class Checkpoint {
 public:
  // kNotFound: neither file is there, or a listed shard or tensor is not.
  // kDataLoss: models/safetensors.h; an index that is no JSON, names a file
  // outside of the folder, or a tensor that lies in two shards.
  static Expected<Checkpoint> Open(const std::filesystem::path& folder);

  // Shard by shard, in the order of their bytes.
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const {
    return tensors_;
  }
  // Null when there is no such tensor. O(log n).
  [[nodiscard]] const StoredTensor* Find(const std::string& name) const;
  // Of the first shard; model.safetensors has no other.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const {
    return shards_.front().metadata();
  }
  // model.safetensors or the index, for messages.
  [[nodiscard]] const std::string& file() const { return file_; }
  // Of all bytes of all shards (core/hash.h). Reads them.
  [[nodiscard]] std::string Fingerprint() const;

 private:
  std::string file_;
  std::vector<SafetensorsFile> shards_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::size_t> places_;  // name -> index in tensors_
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_CHECKPOINT_H_
