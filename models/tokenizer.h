// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_TOKENIZER_H_
#define BITPACT_MODELS_TOKENIZER_H_

// Text to token ids by the folder's own tokenizer.model (libsentencepiece).

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace bitpact {

class Tokenizer {
 public:
  // Reads folder/tokenizer.model. kNotFound, kDataLoss (not a SentencePiece
  // model), kUnsupported (the folder has only a tokenizer.json).
  static Expected<Tokenizer> Load(const std::filesystem::path& folder);

  // Ids without BOS or EOS. Thread-safe.
  [[nodiscard]] std::vector<int> Encode(std::string_view text) const;
  [[nodiscard]] std::string Decode(const std::vector<int>& ids) const;
  [[nodiscard]] int vocab_size() const;
  [[nodiscard]] int bos_id() const;

 private:
  struct Processor;
  std::shared_ptr<const Processor> processor_;
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_TOKENIZER_H_
