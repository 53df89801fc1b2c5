// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_MAPPED_FILE_H_
#define BITPACT_CORE_MAPPED_FILE_H_

// A whole file as read-only memory (Boost.Interprocess). Pages are read when
// touched, so opening a large checkpoint costs nothing. A file that another
// process truncates while it is mapped is the operating system's SIGBUS:
// bitpact replaces files by rename and never shortens one in place.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "core/error.h"

namespace bitpact {

class MappedFile {
 public:
  // kNotFound: no such file; kInvalidArgument: not a regular file;
  // kUnavailable: it exists but cannot be read. An empty file gives empty
  // bytes.
  static Expected<MappedFile> Open(const std::filesystem::path& path);

  // Valid as long as this object or a copy of it lives.
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::shared_ptr<void> region_;
  std::span<const std::byte> bytes_;
};

}  // namespace bitpact

#endif  // BITPACT_CORE_MAPPED_FILE_H_
