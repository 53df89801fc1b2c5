// SPDX-License-Identifier: Apache-2.0
#include "core/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

namespace bitpact {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> SystemError(const fs::path& path, int code) {
  return Fail(ErrorCode::kUnavailable,
              path.string() +
                  ": cannot write: " + std::generic_category().message(code));
}

// The process's umask can only be read by setting it, which two threads at once
// would do to each other's harm; so it is read once.
mode_t CreationMask() {
  static const mode_t mask = [] {
    const mode_t before = ::umask(0);
    ::umask(before);
    return before;
  }();
  return mask;
}

// Owns a descriptor and the temporary name until the file is published.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target)
      : name_(target.string() + ".XXXXXX.tmp"),
        descriptor_(::mkostemps(name_.data(), 4, O_CLOEXEC)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!published_ && created()) ::unlink(name_.c_str());
  }

  [[nodiscard]] bool created() const { return descriptor_ >= 0 || closed_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  Expected<void> Append(const fs::path& target,
                        std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return SystemError(target, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
  }

  Expected<void> Publish(const fs::path& target) {
    // mkostemps makes files that only their owner can read.
    if (::fchmod(descriptor_, 0666 & ~CreationMask()) != 0 ||
        ::fsync(descriptor_) != 0) {
      return SystemError(target, errno);
    }
    closed_ = true;
    if (::close(std::exchange(descriptor_, -1)) != 0) {
      return SystemError(target, errno);
    }
    if (::rename(name_.c_str(), target.c_str()) != 0) {
      return SystemError(target, errno);
    }
    published_ = true;
    SyncFolder(target.parent_path());
    return {};
  }

 private:
  // The rename itself must reach the disk; some file systems cannot sync a
  // folder, and then there is nothing more to do.
  static void SyncFolder(const fs::path& folder) {
    const int descriptor =
        ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY);
    if (descriptor < 0) return;
    ::fsync(descriptor);
    ::close(descriptor);
  }

  std::string name_;
  int descriptor_ = -1;
  bool closed_ = false;
  bool published_ = false;
};

}  // namespace

Expected<void> WriteFileAtomically(
    const fs::path& path,
    const std::function<Expected<void>(const ByteSink&)>& produce) {
  TemporaryFile file(path);
  if (!file.created()) return SystemError(path, errno);
  Expected<void> done = produce([&](std::span<const std::byte> bytes) {
    return file.Append(path, bytes);
  });
  if (!done) return done;
  return file.Publish(path);
}

Expected<void> WriteFileAtomically(const fs::path& path,
                                   std::string_view text) {
  return WriteFileAtomically(path, [&](const ByteSink& sink) {
    return sink(std::as_bytes(std::span(text.data(), text.size())));
  });
}

Expected<void> MakeWritableFolder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return Fail(
        ErrorCode::kUnavailable,
        folder.string() + ": cannot make the folder: " + error.message());
  }
  const TemporaryFile probe(folder / ".probe");
  if (!probe.created()) return SystemError(folder, errno);
  return {};
}

}  // namespace bitpact
