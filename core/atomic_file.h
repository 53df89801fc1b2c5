// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_ATOMIC_FILE_H_
#define BITPACT_CORE_ATOMIC_FILE_H_

// Files that appear whole or not at all: the bytes go to a temporary name in
// the same folder, are flushed to the disk, and the name is then changed. A
// reader sees the old file or the new one, also after a crash.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "core/error.h"

namespace bitpact {

// Appends bytes to the file being written; an error ends the write.
using ByteSink = std::function<Expected<void>(std::span<const std::byte>)>;

// Calls `produce` with a sink and publishes the file when it returns success.
// kUnavailable names the path and the system's reason (no such folder, no
// permission, disk full); the temporary file is removed then.
Expected<void> WriteFileAtomically(
    const std::filesystem::path& path,
    const std::function<Expected<void>(const ByteSink&)>& produce);

Expected<void> WriteFileAtomically(const std::filesystem::path& path,
                                   std::string_view text);

// Makes the folder with its parents and proves that files can be made in it.
// Called before long work, so that an unwritable place is known at once.
Expected<void> MakeWritableFolder(const std::filesystem::path& folder);

}  // namespace bitpact

#endif  // BITPACT_CORE_ATOMIC_FILE_H_
