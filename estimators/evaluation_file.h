// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_EVALUATION_FILE_H_
#define BITPACT_ESTIMATORS_EVALUATION_FILE_H_

// evaluations.jsonl: what is known of a game, crash-safe. Text, one JSON value
// a line. The first line is the header of every bitpact file plus the game's
// key (model, tokens, value, quantizer, formats, units); each further line is
// {"options": "0110...", "loss": [a sum for each window, in nats; null where it
// is not finite]}, or {"options": "0110...", "window": 3, "loss": [its sum]}
// where one window alone was asked. Lines are appended and flushed to the disk
// batch by batch; a last line that a crash cut short is dropped when the file
// is opened again. Why text: any tool reads it, and a line is whole or it is
// not.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "estimators/value_function.h"

namespace bitpact {

struct EvaluationLine {
  FormatAssignment assignment;
  std::optional<int> window;  // unset: all windows
  // One a window, or the one window's; infinite where a read sum was null.
  std::vector<double> loss;
};

class EvaluationFile {
 public:
  // What the values depend on: field -> fingerprint.
  using Key = std::map<std::string, std::string>;
  // Takes what stands in the file.
  using Taker = std::function<void(EvaluationLine)>;

  // Reads the file when it exists, starts it otherwise, and locks it until this
  // object dies. game: its shape. A file with another key is kInvalidArgument
  // and names the field that differs with both values; another version is
  // kUnsupported; damage in the middle is kDataLoss with the line; a file that
  // another run holds is kUnavailable. The file is untouched then.
  static Expected<std::unique_ptr<EvaluationFile>> Open(
      const std::filesystem::path& path,
      const Key& key,
      const ValueFunction& game,
      const Taker& take);
  ~EvaluationFile();
  EvaluationFile(const EvaluationFile&) = delete;
  EvaluationFile& operator=(const EvaluationFile&) = delete;

  // Appends and waits for the disk. kUnavailable when it is full.
  Expected<void> Append(std::span<const EvaluationLine> lines);

 private:
  EvaluationFile(std::filesystem::path path, int descriptor);

  std::filesystem::path path_;
  int descriptor_;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_EVALUATION_FILE_H_
