// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_MODELS_TINY_MODEL_H_
#define BITPACT_TESTS_MODELS_TINY_MODEL_H_

// A random model that a test writes into a folder of its own, and may then
// spoil.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/json_file.h"
#include "models/model.h"
#include "models/safetensors.h"

namespace bitpact::test {

// A folder that vanishes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path File(const std::string& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

struct TinyModelShape {
  std::string name = {};  // of the test case
  int hidden = 24;
  int intermediate = 40;
  int layers = 2;
  int heads = 4;
  int kv_heads = 2;
  int head_dim = 6;
  int vocab = 37;
  int context = 64;
  bool tied = false;
  bool head_only = false;  // tied, and stored as lm_head
  TensorType type = TensorType::kF32;
  std::uint64_t seed = 1;
};

struct TinyTensor {
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

// Values as the file holds them, rounded toward zero.
std::vector<std::byte> Narrow(TensorType type,
                              const std::vector<float>& values);

class TinyModel {
 public:
  // Makes random weights and writes both files.
  explicit TinyModel(const TinyModelShape& shape);

  [[nodiscard]] const std::filesystem::path& folder() const {
    return folder_.path();
  }
  // What was written; change it and call Write.
  Json config;
  std::map<std::string, TinyTensor> tensors;
  void Write() const;
  void WriteConfig() const;

  // Loads what was written; fails the test if that does not work.
  [[nodiscard]] Model Load() const;

 private:
  void AddRandom(const std::string& name,
                 const std::vector<std::int64_t>& shape,
                 double mean,
                 double deviation);

  TinyModelShape shape_;
  TemporaryFolder folder_;
};

// `count` random ids below vocab.
std::vector<int> RandomTokens(int count, int vocab, std::uint64_t seed);

std::string ReadWhole(const std::filesystem::path& file);
void WriteWhole(const std::filesystem::path& file, const std::string& bytes);

}  // namespace bitpact::test

#endif  // BITPACT_TESTS_MODELS_TINY_MODEL_H_
