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
std::string HeaderBytes(const std::vector<const MadeTensor*>& made,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json::object_t entries;
  if (!metadata.empty()) entries.emplace("__metadata__", metadata);
  std::int64_t begin = 0;
  for (const MadeTensor* one : made) {
    const StoredTensor* tensor = &one->tensor;
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
    const std::vector<MadeTensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::set<std::string> names;
  std::vector<const MadeTensor*> ordered;
  for (const MadeTensor& made : tensors) {
    BITPACT_CHECK(names.insert(made.tensor.name).second,
                  "tensor names are unique");
    ordered.push_back(&made);
  }
  std::stable_sort(ordered.begin(),
                   ordered.end(),
                   [](const MadeTensor* a, const MadeTensor* b) {
                     return TensorTypeBytes(a->tensor.type) >
                            TensorTypeBytes(b->tensor.type);
                   });
  return WriteFileAtomically(path, [&](const ByteSink& sink) -> Expected<void> {
    const std::string header = HeaderBytes(ordered, metadata);
    Expected<void> done =
        sink(std::as_bytes(std::span(header.data(), header.size())));
    for (std::size_t i = 0; done && i < ordered.size(); ++i) {
      const std::span<const std::byte> bytes = ordered[i]->make();
      BITPACT_CHECK(static_cast<std::size_t>(ByteCount(ordered[i]->tensor)) ==
                        bytes.size(),
                    "a tensor's bytes fit its shape and type");
      done = sink(bytes);
    }
    return done;
  });
}

Expected<void> WriteSafetensors(
    const std::filesystem::path& path,
    const std::vector<StoredTensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::vector<MadeTensor> made;
  made.reserve(tensors.size());
  for (const StoredTensor& tensor : tensors) {
    made.push_back({tensor, [bytes = tensor.bytes] { return bytes; }});
  }
  return WriteSafetensors(path, made, metadata);
}

}  // namespace bitpact
