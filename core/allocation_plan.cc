// SPDX-License-Identifier: Apache-2.0
#include "core/allocation_plan.h"

#include <utility>

#include "core/check.h"
#include "core/json_file.h"
#include "core/unit_json.h"

namespace bitpact {
namespace {

constexpr const char* kFormat = "bitpact.plan";
constexpr int kVersion = 1;

Expected<PlannedUnit> ReadPlannedUnit(const JsonReader& reader,
                                      UnitReader& units) {
  PlannedUnit planned;
  Expected<Unit> unit = units.Read(reader);
  if (!unit) return tl::unexpected(unit.error());
  planned.unit = std::move(*unit);
  const Expected<std::string> format = reader.String("format");
  if (!format) return tl::unexpected(format.error());
  const Expected<BitFormat> parsed = ParseFormatName(*format);
  if (!parsed) return tl::unexpected(reader.Violation(parsed.error().message));
  planned.format.base = *parsed;
  const Expected<bool> fit = reader.Bool("fit_group_size");
  if (!fit) return tl::unexpected(fit.error());
  planned.format.fit_group_size = *fit;
  planned.size_bytes = StoredBytes(planned.format, planned.unit);
  const Expected<std::int64_t> stated = reader.Integer("size_bytes", 0);
  if (!stated) return tl::unexpected(stated.error());
  if (*stated != planned.size_bytes) {
    return tl::unexpected(reader.Member("size_bytes")
                              ->Violation("the format takes " +
                                          std::to_string(planned.size_bytes) +
                                          " bytes"));
  }
  return planned;
}

}  // namespace

AllocationPlan MakePlan(const std::vector<Unit>& units,
                        const std::vector<FormatRule>& formats,
                        const std::string& quantizer) {
  BITPACT_CHECK(units.size() == formats.size(), "one format a unit");
  AllocationPlan plan;
  plan.quantizer = quantizer;
  for (std::size_t i = 0; i < units.size(); ++i) {
    PlannedUnit planned{
        units[i], formats[i], StoredBytes(formats[i], units[i])};
    plan.size_bytes += planned.size_bytes;
    plan.weights += WeightCount(units[i]);
    plan.units.push_back(std::move(planned));
  }
  return plan;
}

AllocationPlan MakeUniformPlan(const std::vector<Unit>& units,
                               const FormatRule& format,
                               const std::string& quantizer) {
  return MakePlan(
      units, std::vector<FormatRule>(units.size(), format), quantizer);
}

Expected<void> WritePlan(const std::filesystem::path& file,
                         const AllocationPlan& plan,
                         const std::map<std::string, std::string>& inputs) {
  Json units = Json::array();
  for (const PlannedUnit& planned : plan.units) {
    units.push_back({{"name", planned.unit.name},
                     {"format", FormatName(planned.format.base)},
                     {"fit_group_size", planned.format.fit_group_size},
                     {"size_bytes", planned.size_bytes},
                     {"matrices", MatricesToJson(planned.unit)}});
  }
  const Json body = {{"quantizer", plan.quantizer},
                     {"size_bytes", plan.size_bytes},
                     {"weights", plan.weights},
                     {"bits_per_weight", plan.bits_per_weight()},
                     {"units", units}};
  return WriteJsonFile(file,
                       {.format = kFormat,
                        .version = kVersion,
                        .tool_version = {},
                        .seed = {},
                        .inputs = inputs},
                       body);
}

Expected<AllocationPlan> ReadPlan(const std::filesystem::path& file) {
  const Expected<JsonFile> json = JsonFile::Read(file, kFormat, kVersion);
  if (!json) return tl::unexpected(json.error());
  AllocationPlan plan;
  const Expected<std::string> quantizer = json->root().String("quantizer");
  if (!quantizer) return tl::unexpected(quantizer.error());
  plan.quantizer = *quantizer;
  const Expected<std::vector<JsonReader>> units = json->root().Array("units");
  if (!units) return tl::unexpected(units.error());
  UnitReader unit_reader;
  for (const JsonReader& item : *units) {
    Expected<PlannedUnit> planned = ReadPlannedUnit(item, unit_reader);
    if (!planned) return tl::unexpected(planned.error());
    plan.size_bytes += planned->size_bytes;
    plan.weights += WeightCount(planned->unit);
    plan.units.push_back(std::move(*planned));
  }
  return plan;
}

}  // namespace bitpact
