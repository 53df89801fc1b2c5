// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <map>
#include <utility>

#include "models/model.h"

namespace bitpact {
namespace {

constexpr std::array<const char*, kLinearsPerBlock> kLinearNames = {
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj"};

struct UnitPattern {
  std::string name;  // behind "layers.N"
  std::vector<LinearKind> kinds;
};

std::vector<UnitPattern> Patterns(Granularity granularity) {
  using enum LinearKind;
  switch (granularity) {
    case Granularity::kBlock:
      return {{"", {kQ, kK, kV, kO, kGate, kUp, kDown}}};
    case Granularity::kFused:
      return {{".qkv", {kQ, kK, kV}},
              {".self_attn.o_proj", {kO}},
              {".mlp.gate_up", {kGate, kUp}},
              {".mlp.down_proj", {kDown}}};
    case Granularity::kMatrix:
      break;
  }
  std::vector<UnitPattern> single;
  for (std::size_t kind = 0; kind < kLinearNames.size(); ++kind) {
    single.push_back({std::string(".") + kLinearNames.at(kind),
                      {static_cast<LinearKind>(kind)}});
  }
  return single;
}

}  // namespace

UnitMatrix LinearMatrix(const ModelConfig& config, int layer, LinearKind kind) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t mlp = config.intermediate_size;
  const std::int64_t heads = std::int64_t{config.num_heads} * config.head_dim;
  const std::int64_t kv = std::int64_t{config.num_kv_heads} * config.head_dim;
  UnitMatrix matrix;
  matrix.tensor = "model.layers." + std::to_string(layer) + "." +
                  kLinearNames.at(static_cast<std::size_t>(kind)) + ".weight";
  switch (kind) {
    case LinearKind::kQ:
      matrix.rows = heads;
      break;
    case LinearKind::kK:
    case LinearKind::kV:
      matrix.rows = kv;
      break;
    case LinearKind::kO:
    case LinearKind::kDown:
      matrix.rows = hidden;
      break;
    case LinearKind::kGate:
    case LinearKind::kUp:
      matrix.rows = mlp;
      break;
  }
  matrix.cols = kind == LinearKind::kO      ? heads
                : kind == LinearKind::kDown ? mlp
                                            : hidden;
  return matrix;
}

std::vector<Unit> MakeUnits(const Model& model, Granularity granularity) {
  std::vector<Unit> units;
  const std::vector<UnitPattern> patterns = Patterns(granularity);
  for (int layer = 0; layer < model.config().num_layers; ++layer) {
    for (const UnitPattern& pattern : patterns) {
      Unit unit;
      unit.name = "layers." + std::to_string(layer) + pattern.name;
      for (const LinearKind kind : pattern.kinds) {
        unit.matrices.push_back(model.linear_matrix(layer, kind));
      }
      units.push_back(std::move(unit));
    }
  }
  return units;
}

Expected<std::vector<int>> WeightIndices(const ModelConfig& config,
                                         const Unit& unit) {
  std::map<std::string, int> places;
  for (int layer = 0; layer < config.num_layers; ++layer) {
    for (int kind = 0; kind < kLinearsPerBlock; ++kind) {
      places[LinearMatrix(config, layer, static_cast<LinearKind>(kind))
                 .tensor] = layer * kLinearsPerBlock + kind;
    }
  }
  std::vector<int> indices;
  for (const UnitMatrix& matrix : unit.matrices) {
    const auto found = places.find(matrix.tensor);
    const std::string place = "unit " + QuotedName(unit.name) + ": tensor " +
                              QuotedName(matrix.tensor);
    if (found == places.end()) {
      return Fail(ErrorCode::kNotFound,
                  place + " is no linear matrix of the model");
    }
    const UnitMatrix actual =
        LinearMatrix(config,
                     found->second / kLinearsPerBlock,
                     static_cast<LinearKind>(found->second % kLinearsPerBlock));
    if (matrix.rows != actual.rows || matrix.cols != actual.cols) {
      return InvalidArgument(
          place + " = " +
          ShapeText(std::array<std::int64_t, 2>{matrix.rows, matrix.cols}) +
          ": the model's is " +
          ShapeText(std::array<std::int64_t, 2>{actual.rows, actual.cols}));
    }
    indices.push_back(found->second);
  }
  return indices;
}

Expected<std::vector<int>> WeightIndices(const Model& model, const Unit& unit) {
  return WeightIndices(model.config(), unit);
}

}  // namespace bitpact
