// SPDX-License-Identifier: Apache-2.0
#include "estimators/sensitivity_table.h"

#include <limits>
#include <utility>

#include "core/json_file.h"
#include "core/unit_json.h"

namespace bitpact {
namespace {

constexpr const char* kFormat = "bitpact.sensitivities";
constexpr int kVersion = 2;

Json FitJson(const FitQuality& fit) {
  return {{"assignments", fit.assignments},
          {"rank_correlation", fit.rank_correlation},
          {"rms_error_nats", fit.rms_error},
          {"measured_deviation_nats", fit.measured_deviation},
          {"bias_nats", fit.bias},
          {"r_squared", fit.r_squared()}};
}

Json ToJson(const SensitivityTable& table) {
  Json formats = Json::array();
  for (const FormatRule& rule : table.formats) {
    formats.push_back({{"format", FormatName(rule.base)},
                       {"fit_group_size", rule.fit_group_size}});
  }
  const Surrogate& surrogate = table.estimate.surrogate;
  Json units = Json::array();
  for (std::size_t u = 0; u < table.units.size(); ++u) {
    Json unit = {{"name", table.units[u].name},
                 {"cost_nats", surrogate.linear[u]}};
    if (!surrogate.linear_standard_error.empty()) {
      unit["cost_standard_error_nats"] = surrogate.linear_standard_error[u];
    }
    unit["matrices"] = MatricesToJson(table.units[u]);
    units.push_back(std::move(unit));
  }
  Json pairs = Json::array();
  for (const SurrogatePair& pair : surrogate.pairs) {
    pairs.push_back(Json::array(
        {pair.unit_a, pair.option_a, pair.unit_b, pair.option_b, pair.value}));
  }
  return {{"estimator", table.estimator},
          {"quantizer", table.quantizer},
          {"permutations", table.options.permutations},
          {"alpha", table.options.alpha},
          {"calibration_tokens", table.calibration_tokens},
          {"evaluations", table.evaluations},
          {"base_loss_nats", table.estimate.base_loss},
          {"lowest_loss_nats", table.estimate.lowest_loss},
          {"predicts_loss", table.predicts_loss},
          {"detail", table.estimate.detail},
          {"cost",
           {{"evaluations", table.estimate.cost.evaluations},
            {"seconds", table.estimate.cost.seconds}}},
          {"held_out_fit", FitJson(table.fit)},
          {"target_byte_limit", table.target_byte_limit},
          {"held_out_fit_at_budget", FitJson(table.fit_at_budget)},
          {"unit_weights", table.model_bytes.unit_weights},
          {"kept_bytes", table.model_bytes.kept},
          {"stored_bytes", table.model_bytes.stored},
          {"formats", formats},
          {"constant_nats", surrogate.constant},
          {"units", units},
          {"pair_fields", "unit, option, unit, option, cost in nats"},
          {"pairs", pairs}};
}

// Collects the first error of many reads, so that reading stays a list of
// fields.
class Fields {
 public:
  explicit Fields(JsonReader reader) : reader_(std::move(reader)) {}

  void Number(const char* key, double& value) {
    Take(reader_.Number(key), value);
  }
  void String(const char* key, std::string& value) {
    Take(reader_.String(key), value);
  }
  void Bool(const char* key, bool& value) { Take(reader_.Bool(key), value); }
  template <typename Integer>
  void Count(const char* key, Integer& value) {
    constexpr auto kMost =
        static_cast<std::int64_t>(std::numeric_limits<Integer>::max());
    Take(reader_.Integer(key, 0, kMost), value);
  }
  [[nodiscard]] Expected<void> Done() const {
    if (failed_) return tl::unexpected(error_);
    return {};
  }

 private:
  template <typename From, typename To>
  void Take(const Expected<From>& from, To& to) {
    if (failed_) return;
    if (from) {
      to = static_cast<To>(*from);
    } else {
      failed_ = true;
      error_ = from.error();
    }
  }

  JsonReader reader_;
  bool failed_ = false;
  Error error_;
};

Expected<void> ReadFit(const JsonReader& root,
                       const char* key,
                       FitQuality& fit) {
  const Expected<JsonReader> member = root.Member(key);
  if (!member) return tl::unexpected(member.error());
  Fields fields(*member);
  fields.Count("assignments", fit.assignments);
  fields.Number("rank_correlation", fit.rank_correlation);
  fields.Number("rms_error_nats", fit.rms_error);
  fields.Number("measured_deviation_nats", fit.measured_deviation);
  if (member->Has("bias_nats")) fields.Number("bias_nats", fit.bias);
  return fields.Done();
}

Expected<void> ReadScalars(const JsonReader& root, SensitivityTable& table) {
  Fields fields(root);
  fields.String("estimator", table.estimator);
  fields.String("quantizer", table.quantizer);
  fields.Count("permutations", table.options.permutations);
  fields.Number("alpha", table.options.alpha);
  fields.Count("calibration_tokens", table.calibration_tokens);
  fields.Count("evaluations", table.evaluations);
  fields.Number("base_loss_nats", table.estimate.base_loss);
  fields.Number("lowest_loss_nats", table.estimate.lowest_loss);
  fields.Count("unit_weights", table.model_bytes.unit_weights);
  fields.Count("kept_bytes", table.model_bytes.kept);
  fields.Count("stored_bytes", table.model_bytes.stored);
  fields.Number("constant_nats", table.estimate.surrogate.constant);
  Expected<void> done = fields.Done();
  if (!done) return done;
  return ReadFit(root, "held_out_fit", table.fit);
}

// What version 2 adds.
Expected<void> ReadCost(const JsonReader& root, SensitivityTable& table) {
  if (!root.Has("cost")) return {};
  Fields fields(root);
  fields.Bool("predicts_loss", table.predicts_loss);
  fields.String("detail", table.estimate.detail);
  fields.Count("target_byte_limit", table.target_byte_limit);
  Expected<void> done = fields.Done();
  if (!done) return done;
  const Expected<JsonReader> cost = root.Member("cost");
  if (!cost) return tl::unexpected(cost.error());
  Fields cost_fields(*cost);
  cost_fields.Number("evaluations", table.estimate.cost.evaluations);
  cost_fields.Number("seconds", table.estimate.cost.seconds);
  done = cost_fields.Done();
  if (!done) return done;
  return ReadFit(root, "held_out_fit_at_budget", table.fit_at_budget);
}

Expected<void> ReadFormats(const JsonReader& root, SensitivityTable& table) {
  const auto formats = root.Array("formats");
  if (!formats) return tl::unexpected(formats.error());
  for (const JsonReader& item : *formats) {
    FormatRule rule;
    std::string name;
    Fields fields(item);
    fields.String("format", name);
    fields.Bool("fit_group_size", rule.fit_group_size);
    Expected<void> done = fields.Done();
    if (!done) return done;
    const Expected<BitFormat> format = ParseFormatName(name);
    if (!format) {
      return tl::unexpected(item.Violation(format.error().message));
    }
    rule.base = *format;
    table.formats.push_back(rule);
  }
  if (table.formats.empty()) {
    return tl::unexpected(
        root.Member("formats")->Violation("at least one format"));
  }
  return {};
}

Expected<std::vector<double>> ReadCosts(const JsonReader& unit,
                                        const char* key,
                                        std::size_t options) {
  Expected<std::vector<double>> costs = unit.Numbers(key);
  if (costs && costs->size() != options) {
    return tl::unexpected(unit.Member(key)->Violation(
        "one number for each of the " + std::to_string(options) + " formats"));
  }
  return costs;
}

Expected<void> ReadUnits(const JsonReader& root, SensitivityTable& table) {
  const auto units = root.Array("units");
  if (!units) return tl::unexpected(units.error());
  Surrogate& surrogate = table.estimate.surrogate;
  UnitReader unit_reader;
  for (const JsonReader& item : *units) {
    Expected<Unit> unit = unit_reader.Read(item);
    if (!unit) return tl::unexpected(unit.error());
    table.units.push_back(std::move(*unit));
    auto costs = ReadCosts(item, "cost_nats", table.formats.size());
    if (!costs) return tl::unexpected(costs.error());
    surrogate.linear.push_back(std::move(*costs));
    if (!item.Has("cost_standard_error_nats")) continue;
    auto errors =
        ReadCosts(item, "cost_standard_error_nats", table.formats.size());
    if (!errors) return tl::unexpected(errors.error());
    surrogate.linear_standard_error.push_back(std::move(*errors));
  }
  if (table.units.empty()) {
    return tl::unexpected(root.Member("units")->Violation("at least one unit"));
  }
  if (!surrogate.linear_standard_error.empty() &&
      surrogate.linear_standard_error.size() != table.units.size()) {
    return tl::unexpected(root.Member("units")->Violation(
        "'cost_standard_error_nats' stands in all units or in none"));
  }
  return {};
}

Expected<void> ReadPairs(const JsonReader& root, SensitivityTable& table) {
  const auto pairs = root.Array("pairs");
  if (!pairs) return tl::unexpected(pairs.error());
  const auto units = static_cast<std::int64_t>(table.units.size());
  const auto options = static_cast<std::int64_t>(table.formats.size());
  for (const JsonReader& item : *pairs) {
    const Json& entry = item.json();
    bool good = entry.is_array() && entry.size() == 5 && entry[4].is_number();
    for (std::size_t i = 0; good && i < 4; ++i) {
      good = entry[i].is_number_unsigned();
    }
    if (!good) {
      return tl::unexpected(
          item.Violation("must be [unit, option, unit, option, cost]"));
    }
    const SurrogatePair pair{static_cast<int>(entry[0].get<std::int64_t>()),
                             static_cast<int>(entry[1].get<std::int64_t>()),
                             static_cast<int>(entry[2].get<std::int64_t>()),
                             static_cast<int>(entry[3].get<std::int64_t>()),
                             entry[4].get<double>()};
    if (entry[0].get<std::int64_t>() >= entry[2].get<std::int64_t>() ||
        entry[2].get<std::int64_t>() >= units ||
        entry[1].get<std::int64_t>() >= options ||
        entry[3].get<std::int64_t>() >= options) {
      return tl::unexpected(item.Violation(
          "units ascend and units and options are within range"));
    }
    table.estimate.surrogate.pairs.push_back(pair);
  }
  return {};
}

}  // namespace

std::string OptionName(const FormatRule& rule) {
  if (rule.base.mixed_columns()) {
    // "col2.25" without its kind.
    return FormatName(rule.base).substr(3) + " bit";
  }
  const std::string bits = std::to_string(rule.base.bits);
  if (rule.base.row_mix()) {
    // "2+int3x0.1" of "int2-g64-asym+int3x0.1".
    const std::string name = FormatName(rule.base);
    return bits + name.substr(name.find('+')) + " bit";
  }
  return bits + " bit";
}

Expected<void> WriteSensitivityTable(const std::filesystem::path& file,
                                     const SensitivityTable& table) {
  return WriteJsonFile(file,
                       {.format = kFormat,
                        .version = kVersion,
                        .tool_version = {},
                        .seed = table.options.seed,
                        .inputs = table.inputs},
                       ToJson(table));
}

Expected<SensitivityTable> ReadSensitivityTable(
    const std::filesystem::path& file) {
  const Expected<JsonFile> json = JsonFile::Read(file, kFormat, kVersion);
  if (!json) return tl::unexpected(json.error());
  SensitivityTable table;
  table.inputs = json->header().inputs;
  table.options.seed = json->header().seed.value_or(0);
  for (const auto read :
       {&ReadScalars, &ReadCost, &ReadFormats, &ReadUnits, &ReadPairs}) {
    const Expected<void> done = read(json->root(), table);
    if (!done) return tl::unexpected(done.error());
  }
  return table;
}

}  // namespace bitpact
