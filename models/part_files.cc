// SPDX-License-Identifier: Apache-2.0
#include "models/part_files.h"

#include <system_error>
#include <utility>

#include "core/atomic_file.h"
#include "core/json_file.h"
#include "models/packed_tensors.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "bitpact.parts";

// The key lies in the header's inputs.
Expected<void> CheckKey(const fs::path& file,
                        const std::map<std::string, std::string>& key) {
  const Expected<JsonFile> found = JsonFile::Read(file, kFormat, 1);
  if (!found) return tl::unexpected(found.error());
  const auto& theirs = found->header().inputs;
  for (const auto& [field, value] : key) {
    const auto at = theirs.find(field);
    const std::string shown = at == theirs.end() ? "missing" : at->second;
    if (shown == value) continue;
    return InvalidArgument(
        file.string() + ": inputs." + field + " = " + QuotedName(shown) +
        ": unfinished work of another run (this one has " + QuotedName(value) +
        "); finish that one, delete " + file.parent_path().string() +
        " or use another output folder");
  }
  return {};
}

}  // namespace

Expected<PartFiles> PartFiles::Open(
    const fs::path& folder, const std::map<std::string, std::string>& key) {
  PartFiles parts;
  parts.folder_ = folder;
  const fs::path file = folder / "key.json";
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    if (const auto same = CheckKey(file, key); !same) {
      return tl::unexpected(same.error());
    }
    return parts;
  }
  if (const auto made = MakeWritableFolder(folder); !made) {
    return tl::unexpected(made.error());
  }
  FileHeader header;
  header.format = kFormat;
  header.inputs = key;
  const auto written = WriteJsonFile(file, header, Json::object());
  if (!written) return tl::unexpected(written.error());
  return parts;
}

PackedStore PartFiles::Store() const {
  return {[this](const LinearJob& job) { return Find(job); },
          [this](const LinearJob& job, const PackedMatrix& packed) {
            return Put(job, packed);
          }};
}

void PartFiles::Remove() const {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

fs::path PartFiles::FileOf(const LinearJob& job) const {
  return folder_ / (job.matrix.tensor + ".safetensors");
}

Expected<SharedMatrix> PartFiles::Find(const LinearJob& job) const {
  std::error_code ignored;
  const fs::path path = FileOf(job);
  if (!fs::exists(path, ignored)) return nullptr;
  auto file = SafetensorsFile::Open(path);
  if (!file) return tl::unexpected(file.error());
  const auto owner = std::make_shared<const SafetensorsFile>(std::move(*file));
  const auto finder = [&](const std::string& name) -> const StoredTensor* {
    for (const StoredTensor& tensor : owner->tensors()) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  };
  auto packed = MapPacked(finder, path.string(), job.matrix, job.format, owner);
  if (!packed) return tl::unexpected(packed.error());
  return std::make_shared<const PackedMatrix>(std::move(*packed));
}

Expected<SharedMatrix> PartFiles::Put(const LinearJob& job,
                                      const PackedMatrix& packed) const {
  const auto written = WriteSafetensors(
      FileOf(job), PackedTensors(packed, job.matrix), {{"format", kFormat}});
  if (!written) return tl::unexpected(written.error());
  return Find(job);
}

}  // namespace bitpact
