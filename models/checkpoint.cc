// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint.h"

#include <set>
#include <system_error>
#include <utility>

#include "core/hash.h"
#include "core/json_file.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// tensor name -> shard's file name.
Expected<std::map<std::string, std::string>> ReadIndex(const fs::path& path) {
  const Expected<Json> json = ParseJsonFile(path);
  if (!json) return tl::unexpected(json.error());
  const JsonReader root(&*json, path.string(), "");
  const Expected<JsonReader> map = root.Member("weight_map");
  if (!map) return tl::unexpected(map.error());
  if (!map->json().is_object() || map->json().empty()) {
    return tl::unexpected(map->Violation("must name at least one tensor"));
  }
  std::map<std::string, std::string> files;
  for (const auto& item : map->json().items()) {
    const std::string shard =
        item.value().is_string() ? item.value().get<std::string>() : "";
    if (shard.empty() || shard == ".." || fs::path(shard).filename() != shard) {
      return Fail(ErrorCode::kDataLoss,
                  path.string() + ": weight_map of " + QuotedName(item.key()) +
                      " = " + QuotedName(shard) +
                      ": must be a file name inside the folder");
    }
    files[item.key()] = shard;
  }
  return files;
}

}  // namespace

Expected<Checkpoint> Checkpoint::Open(const fs::path& folder) {
  Checkpoint result;
  std::map<std::string, std::string> index;
  std::set<std::string> names = {kWeights};
  result.file_ = (folder / kWeights).string();
  if (!Exists(folder / kWeights) && Exists(folder / kIndex)) {
    result.file_ = (folder / kIndex).string();
    auto read = ReadIndex(folder / kIndex);
    if (!read) return tl::unexpected(read.error());
    index = std::move(*read);
    names.clear();
    for (const auto& [tensor, shard] : index) names.insert(shard);
  }
  for (const std::string& name : names) {
    Expected<SafetensorsFile> shard = SafetensorsFile::Open(folder / name);
    if (!shard) return tl::unexpected(shard.error());
    for (const StoredTensor& tensor : shard->tensors()) {
      const std::size_t place = result.tensors_.size();
      if (!result.places_.emplace(tensor.name, place).second) {
        return Fail(ErrorCode::kDataLoss,
                    (folder / name).string() + ": tensor " +
                        QuotedName(tensor.name) + " lies in two shards");
      }
      result.tensors_.push_back(tensor);
    }
    result.shards_.push_back(std::move(*shard));
  }
  for (const auto& [tensor, shard] : index) {
    if (result.Find(tensor) == nullptr) {
      return Fail(ErrorCode::kNotFound,
                  (folder / shard).string() + ": tensor " + QuotedName(tensor) +
                      " of the index is missing");
    }
  }
  return result;
}

const StoredTensor* Checkpoint::Find(const std::string& name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &tensors_[found->second];
}

std::string Checkpoint::Fingerprint() const {
  if (shards_.size() == 1) return HashBytes(shards_.front().bytes());
  std::string all;
  for (const SafetensorsFile& shard : shards_) {
    all += HashBytes(shard.bytes()) + "\n";
  }
  return HashText(all);
}

}  // namespace bitpact
