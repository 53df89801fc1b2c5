// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizer.h"

#include <exception>
#include <system_error>

#include "core/check.h"
#include "core/mapped_file.h"
#include "models/model.h"
#include "sentencepiece_processor.h"

namespace bitpact {

struct Tokenizer::Processor {
  sentencepiece::SentencePieceProcessor spm;
};

Expected<Tokenizer> Tokenizer::Load(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer.model";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) &&
      std::filesystem::exists(folder / "tokenizer.json", ignored)) {
    return Fail(ErrorCode::kUnsupported,
                folder.string() +
                    ": has tokenizer.json but no tokenizer.model: bitpact "
                    "reads SentencePiece models only");
  }
  const Expected<MappedFile> file = MappedFile::Open(path);
  if (!file) return tl::unexpected(file.error());
  auto processor = std::make_shared<Processor>();
  std::string problem;
  try {
    const auto status = processor->spm.LoadFromSerializedProto(
        {reinterpret_cast<const char*>(file->bytes().data()),
         file->bytes().size()});
    if (!status.ok()) problem = status.ToString();
  } catch (const std::exception& failure) {
    problem = failure.what();
  }
  if (problem.empty() && processor->spm.GetPieceSize() <= 0) {
    problem = "it has no pieces";
  }
  if (!problem.empty()) {
    return Fail(ErrorCode::kDataLoss,
                path.string() + ": not a SentencePiece model: " + problem);
  }
  // An id beyond the embedding would have no meaning.
  if (std::filesystem::exists(folder / "config.json", ignored)) {
    const Expected<ModelConfig> config =
        ReadModelConfig(folder / "config.json");
    if (!config) return tl::unexpected(config.error());
    if (processor->spm.GetPieceSize() > config->vocab_size) {
      return InvalidArgument(path.string() + ": has " +
                             std::to_string(processor->spm.GetPieceSize()) +
                             " pieces, config.json only vocab_size = " +
                             std::to_string(config->vocab_size));
    }
  }
  Tokenizer tokenizer;
  tokenizer.processor_ = std::move(processor);
  return tokenizer;
}

std::vector<int> Tokenizer::Encode(std::string_view text) const {
  std::vector<int> ids;
  const auto status = processor_->spm.Encode(text, &ids);
  BITPACT_CHECK(status.ok(), "a loaded tokenizer encodes");
  return ids;
}

std::string Tokenizer::Decode(const std::vector<int>& ids) const {
  std::string text;
  const auto status = processor_->spm.Decode(ids, &text);
  BITPACT_CHECK(status.ok(), "the ids are below vocab_size()");
  return text;
}

int Tokenizer::vocab_size() const { return processor_->spm.GetPieceSize(); }

int Tokenizer::bos_id() const { return processor_->spm.bos_id(); }

}  // namespace bitpact
