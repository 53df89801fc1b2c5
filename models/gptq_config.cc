// SPDX-License-Identifier: Apache-2.0
#include "models/gptq_config.h"

#include <algorithm>

#include "core/version.h"
#include "models/safetensors.h"
#include "quant/gptq_layout.h"

namespace bitpact {
namespace {

Json FormatFields(const BitFormat& format) {
  return {{"bits", format.bits},
          {"group_size", format.group_size == 0 ? -1 : format.group_size},
          {"sym", format.symmetric()}};
}

BitFormat MostFrequent(
    const std::vector<std::pair<std::string, std::optional<BitFormat>>>&
        formats) {
  std::map<BitFormat, int> counts;
  BitFormat best{.zero_point_type = ZeroPointType::kUint8};
  int most = 0;
  for (const auto& [module, format] : formats) {
    if (format && ++counts[*format] > most) {
      most = counts[*format];
      best = *format;
    }
  }
  return best;
}

// "^model\.layers\.0\.mlp\.up_proj$"
std::string ExactPattern(const std::string& module) {
  std::string pattern = "^";
  for (const char c : module) {
    if (c == '.') pattern += '\\';
    pattern += c;
  }
  return pattern + "$";
}

// Overrides of `base`; fields that are missing stay.
Expected<BitFormat> ReadFormat(const JsonReader& json, BitFormat base) {
  if (json.Has("bits")) {
    const auto bits = json.Integer("bits", 1, 32);
    if (!bits) return tl::unexpected(bits.error());
    base.bits = static_cast<int>(*bits);
  }
  if (!IsGptqWidth(base.bits)) {
    return tl::unexpected(
        json.Member("bits")->Violation("must be 2, 3, 4 or 8"));
  }
  if (json.Has("group_size")) {
    const auto group = json.Integer("group_size", -1, 1 << 20);
    if (!group) return tl::unexpected(group.error());
    base.group_size = static_cast<int>(std::max<std::int64_t>(*group, 0));
  }
  if (json.Has("sym")) {
    const auto symmetric = json.Bool("sym");
    if (!symmetric) return tl::unexpected(symmetric.error());
    // The zero-points are stored all the same, and are what counts.
  }
  base.zero_point_type = ZeroPointType::kUint8;
  return base;
}

Expected<void> CheckName(const JsonReader& config,
                         const std::string& field,
                         const std::vector<std::string>& known) {
  if (!config.Has(field)) return {};
  const auto value = config.String(field);
  if (!value) return tl::unexpected(value.error());
  if (std::ranges::count(known, *value) > 0) return {};
  Error error = config.Member(field)->Violation("is not supported");
  error.code = ErrorCode::kUnsupported;
  return tl::unexpected(std::move(error));
}

}  // namespace

std::string ModuleName(const std::string& tensor) {
  const std::string suffix = ".weight";
  return tensor.ends_with(suffix)
             ? tensor.substr(0, tensor.size() - suffix.size())
             : tensor;
}

Json GptqConfigJson(
    const std::vector<std::pair<std::string, std::optional<BitFormat>>>&
        formats) {
  const BitFormat base = MostFrequent(formats);
  Json dynamic = Json::object();
  for (const auto& [module, format] : formats) {
    if (!format) {
      dynamic["-:" + ExactPattern(module)] = Json::object();
    } else if (*format != base) {
      dynamic["+:" + ExactPattern(module)] = FormatFields(*format);
    }
  }
  Json config = {{"quant_method", "gptq"}};
  config.update(FormatFields(base));
  config.update(Json{{"desc_act", false},
                     {"static_groups", true},
                     {"true_sequential", true},
                     {"lm_head", false},
                     {"checkpoint_format", "gptq"},
                     {"pack_dtype", "int32"}});
  if (!dynamic.empty()) config["dynamic"] = dynamic;
  config["meta"] = {{"quantizer", {std::string("bitpact:") + kToolVersion}}};
  return config;
}

Expected<GptqConfig> GptqConfig::Read(const JsonReader& config) {
  for (const auto& checked :
       {CheckName(config, "quant_method", {"gptq"}),
        CheckName(config, "checkpoint_format", {"gptq", "gptq_v2"})}) {
    if (!checked) return tl::unexpected(checked.error());
  }
  GptqConfig result;
  if (config.Has("checkpoint_format") &&
      *config.String("checkpoint_format") == "gptq_v2") {
    result.version_ = 2;
  }
  if (!config.Has("bits")) {
    return tl::unexpected(config.Member("bits").error());
  }
  BitFormat start{.group_size = 0};
  const auto base = ReadFormat(config, start);
  if (!base) return tl::unexpected(base.error());
  result.base_ = *base;
  if (!config.Has("dynamic") || config.Member("dynamic")->json().is_null()) {
    return result;
  }
  const auto dynamic = config.Member("dynamic");
  if (!dynamic->json().is_object()) {
    return tl::unexpected(dynamic->Violation("must be an object"));
  }
  for (const auto& item : dynamic->json().items()) {
    std::string pattern = item.key();
    const bool out = pattern.starts_with("-:");
    if (out || pattern.starts_with("+:")) pattern = pattern.substr(2);
    const auto compiled = NamePattern::Compile(pattern);
    if (!compiled) {
      return tl::unexpected(
          dynamic->Violation("key " + compiled.error().message));
    }
    Rule rule{*compiled, std::nullopt};
    if (!out) {
      const auto format =
          ReadFormat(*dynamic->Member(item.key()), result.base_);
      if (!format) return tl::unexpected(format.error());
      rule.format = *format;
    }
    result.rules_.push_back(std::move(rule));
  }
  return result;
}

Expected<std::optional<BitFormat>> GptqConfig::FormatOf(
    const std::string& module) const {
  for (const Rule& rule : rules_) {
    const auto matches = rule.pattern.MatchesStartOf(module);
    if (!matches) {
      Error error = matches.error();
      error.message = "quantization_config.dynamic: key " + error.message;
      return tl::unexpected(std::move(error));
    }
    if (*matches) return rule.format;
  }
  return std::optional<BitFormat>(base_);
}

}  // namespace bitpact
