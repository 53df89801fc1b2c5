// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "core/atomic_file.h"
#include "core/check.h"
#include "models/safetensors.h"
#include "nlohmann/json.hpp"

namespace bitpact {
namespace {

std::int64_t ByteCount(const StoredTensor& tensor) {
  std::int64_t size = TensorTypeBytes(tensor.type);
  for (const std::int64_t count : tensor.shape) size *= count;
  return size;
}

// The length field and the header, padded with spaces so that the data begins
// at a multiple of 8 bytes.
std::string HeaderBytes(const std::vector<const StoredTensor*>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json::object_t entries;
  if (!metadata.empty()) entries.emplace("__metadata__", metadata);
  std::int64_t begin = 0;
  for (const StoredTensor* tensor : tensors) {
    const std::int64_t end = begin + ByteCount(*tensor);
    // push_back, since emplace looks every name up one by one.
    entries.push_back({tensor->name,
                       {{"dtype", TensorTypeName(tensor->type)},
                        {"shape", tensor->shape},
                        {"data_offsets", {begin, end}}}});
    begin = end;
  }
  std::string json = nlohmann::ordered_json(std::move(entries)).dump();
  json.resize((json.size() + 7) / 8 * 8, ' ');
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<char>((json.size() >> (8U * i)) & 0xFFU));
  }
  return bytes + json;
}

}  // namespace

Expected<void> WriteSafetensors(
    const std::filesystem::path& path,
    const std::vector<StoredTensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::set<std::string> names;
  std::vector<const StoredTensor*> ordered;
  for (const StoredTensor& tensor : tensors) {
    BITPACT_CHECK(names.insert(tensor.name).second, "tensor names are unique");
    BITPACT_CHECK(
        static_cast<std::size_t>(ByteCount(tensor)) == tensor.bytes.size(),
        "a tensor's bytes fit its shape and type");
    ordered.push_back(&tensor);
  }
  std::stable_sort(ordered.begin(),
                   ordered.end(),
                   [](const StoredTensor* a, const StoredTensor* b) {
                     return TensorTypeBytes(a->type) > TensorTypeBytes(b->type);
                   });
  return WriteFileAtomically(path, [&](const ByteSink& sink) -> Expected<void> {
    const std::string header = HeaderBytes(ordered, metadata);
    Expected<void> done =
        sink(std::as_bytes(std::span(header.data(), header.size())));
    for (std::size_t i = 0; done && i < ordered.size(); ++i) {
      done = sink(ordered[i]->bytes);
    }
    return done;
  });
}

}  // namespace bitpact
