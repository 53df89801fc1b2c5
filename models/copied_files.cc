// SPDX-License-Identifier: Apache-2.0
#include "models/copied_files.h"

#include <array>
#include <system_error>

#include "core/atomic_file.h"
#include "core/mapped_file.h"

namespace bitpact {
namespace {

constexpr std::array<const char*, 6> kCopiedFiles = {"tokenizer.model",
                                                     "tokenizer.json",
                                                     "tokenizer_config.json",
                                                     "special_tokens_map.json",
                                                     "added_tokens.json",
                                                     "generation_config.json"};

}  // namespace

Expected<void> CopyFile(const std::filesystem::path& from,
                        const std::filesystem::path& to) {
  const Expected<MappedFile> file = MappedFile::Open(from);
  if (!file) return tl::unexpected(file.error());
  return WriteFileAtomically(
      to, [&](const ByteSink& sink) { return sink(file->bytes()); });
}

Expected<void> CopyTokenizerFiles(const std::filesystem::path& from,
                                  const std::filesystem::path& to) {
  std::error_code ignored;
  for (const char* name : kCopiedFiles) {
    if (!std::filesystem::exists(from / name, ignored)) continue;
    const Expected<void> done = CopyFile(from / name, to / name);
    if (!done) return done;
  }
  return {};
}

}  // namespace bitpact
