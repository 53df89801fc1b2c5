// SPDX-License-Identifier: Apache-2.0
#include "core/unit_json.h"

#include <utility>
#include <vector>

namespace bitpact {
namespace {

// Far above any model in use, low enough that all sizes fit in 64 bits.
constexpr std::int64_t kLargestDimension = std::int64_t{1} << 30U;
constexpr std::int64_t kMostWeights = std::int64_t{1} << 50U;

}  // namespace

Json MatricesToJson(const Unit& unit) {
  Json matrices = Json::array();
  for (const UnitMatrix& matrix : unit.matrices) {
    matrices.push_back({{"tensor", matrix.tensor},
                        {"rows", matrix.rows},
                        {"cols", matrix.cols}});
  }
  return matrices;
}

Expected<UnitMatrix> UnitReader::ReadMatrix(const JsonReader& reader) {
  const Expected<std::string> tensor = reader.String("tensor");
  if (!tensor) return tl::unexpected(tensor.error());
  if (!tensors_.insert(*tensor).second) {
    return tl::unexpected(
        reader.Violation("each tensor belongs to one unit only"));
  }
  const auto rows = reader.Integer("rows", 1, kLargestDimension);
  if (!rows) return tl::unexpected(rows.error());
  const auto cols = reader.Integer("cols", 1, kLargestDimension);
  if (!cols) return tl::unexpected(cols.error());
  weights_ += *rows * *cols;
  if (weights_ > kMostWeights) {
    return tl::unexpected(
        reader.Violation("all matrices together have at most 2^50 weights"));
  }
  return UnitMatrix{*tensor, *rows, *cols};
}

Expected<Unit> UnitReader::Read(const JsonReader& reader) {
  Unit unit;
  const Expected<std::string> name = reader.String("name");
  if (!name) return tl::unexpected(name.error());
  unit.name = *name;
  const Expected<std::vector<JsonReader>> matrices = reader.Array("matrices");
  if (!matrices) return tl::unexpected(matrices.error());
  for (const JsonReader& item : *matrices) {
    Expected<UnitMatrix> matrix = ReadMatrix(item);
    if (!matrix) return tl::unexpected(matrix.error());
    unit.matrices.push_back(std::move(*matrix));
  }
  if (unit.matrices.empty()) {
    return tl::unexpected(reader.Violation("a unit has at least one matrix"));
  }
  if (!names_.insert(unit.name).second) {
    return tl::unexpected(reader.Violation("unit names are unique"));
  }
  return unit;
}

}  // namespace bitpact
