// SPDX-License-Identifier: Apache-2.0
#include "core/hash.h"

#include <array>
#include <cstdio>

#include "core/mapped_file.h"
#include "xxhash.h"

namespace bitpact {

std::string HashBytes(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  std::array<char, 40> text{};
  std::snprintf(text.data(),
                text.size(),
                "xxh3:%016llx%016llx",
                static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text.data();
}

std::string HashText(std::string_view text) {
  return HashBytes(std::as_bytes(std::span(text.data(), text.size())));
}

Expected<std::string> HashFile(const std::filesystem::path& path) {
  const Expected<MappedFile> file = MappedFile::Open(path);
  if (!file) return tl::unexpected(file.error());
  return HashBytes(file->bytes());
}

}  // namespace bitpact
