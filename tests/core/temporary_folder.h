// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_CORE_TEMPORARY_FOLDER_H_
#define BITPACT_TESTS_CORE_TEMPORARY_FOLDER_H_

// An empty folder of a test's own, removed at its end.

#include <filesystem>
#include <string>
#include <vector>

namespace bitpact {

class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // Writes a file plainly and returns its path.
  [[nodiscard]] std::filesystem::path Write(const std::string& name,
                                            const std::string& text) const;
  // File names in the folder, sorted.
  [[nodiscard]] std::vector<std::string> Names() const;

 private:
  std::filesystem::path path_;
};

std::string ReadText(const std::filesystem::path& file);

}  // namespace bitpact

#endif  // BITPACT_TESTS_CORE_TEMPORARY_FOLDER_H_
