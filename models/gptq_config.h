// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_GPTQ_CONFIG_H_
#define BITPACT_MODELS_GPTQ_CONFIG_H_

// The "quantization_config" of a GPTQ checkpoint (models/gptq_checkpoint.h).

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "core/json_file.h"
#include "models/name_pattern.h"

namespace bitpact {

// MODULE of "MODULE.weight".
std::string ModuleName(const std::string& tensor);

// formats: of each module, none where it is not quantized.
Json GptqConfigJson(
    const std::vector<std::pair<std::string, std::optional<BitFormat>>>&
        formats);

class GptqConfig {
 public:
  // kInvalidArgument: a field that is missing, of another kind or out of range,
  // or a key of "dynamic" that is no regular expression; kUnsupported: another
  // quant_method or checkpoint_format.
  static Expected<GptqConfig> Read(const JsonReader& config);

  // 1 or 2.
  [[nodiscard]] int version() const { return version_; }
  // None: not quantized. Group size 0: the whole row. kUnsupported: a key of
  // "dynamic" is beyond the limits of NamePattern.
  [[nodiscard]] Expected<std::optional<BitFormat>> FormatOf(
      const std::string& module) const;

 private:
  struct Rule {
    NamePattern pattern;
    std::optional<BitFormat> format;
  };
  int version_ = 1;
  BitFormat base_;
  std::vector<Rule> rules_;
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_GPTQ_CONFIG_H_
