// SPDX-License-Identifier: Apache-2.0
#include "tests/models/reference_transformer.h"

#include <algorithm>
#include <cmath>

namespace bitpact::test {
namespace {

using Vector = std::vector<double>;

Vector Norm(const Vector& x, std::span<const float> gain, float epsilon) {
  double sum = 0.0;
  for (const double value : x) sum += value * value;
  const double factor = 1.0 / std::sqrt(sum / static_cast<double>(x.size()) +
                                        static_cast<double>(epsilon));
  Vector out;
  for (std::size_t i = 0; i < x.size(); ++i) {
    out.push_back(x[i] * factor * static_cast<double>(gain[i]));
  }
  return out;
}

Vector Times(std::span<const float> matrix, const Vector& x) {
  Vector out(matrix.size() / x.size(), 0.0);
  for (std::size_t r = 0; r < out.size(); ++r) {
    for (std::size_t c = 0; c < x.size(); ++c) {
      out[r] += static_cast<double>(matrix[r * x.size() + c]) * x[c];
    }
  }
  return out;
}

// Element i of a head and element i + head_dim / 2 turn together.
void Rotate(Vector& x, std::size_t head_dim, double position, double theta) {
  for (std::size_t head = 0; head < x.size(); head += head_dim) {
    for (std::size_t i = 0; i < head_dim / 2; ++i) {
      const double angle =
          position / std::pow(theta,
                              2.0 * static_cast<double>(i) /
                                  static_cast<double>(head_dim));
      double& a = x[head + i];
      double& b = x[head + i + head_dim / 2];
      const double turned = a * std::cos(angle) - b * std::sin(angle);
      b = a * std::sin(angle) + b * std::cos(angle);
      a = turned;
    }
  }
}

// One position's query over all keys up to it.
Vector AttendOne(const Vector& query,
                 const std::vector<Vector>& keys,
                 const std::vector<Vector>& values,
                 const ModelConfig& config) {
  const auto dim = static_cast<std::size_t>(config.head_dim);
  Vector out(query.size(), 0.0);
  for (int head = 0; head < config.num_heads; ++head) {
    const auto at = static_cast<std::size_t>(head) * dim;
    const auto kv = static_cast<std::size_t>(
                        head / (config.num_heads / config.num_kv_heads)) *
                    dim;
    Vector scores;
    for (const Vector& key : keys) {
      double score = 0.0;
      for (std::size_t i = 0; i < dim; ++i)
        score += query[at + i] * key[kv + i];
      scores.push_back(score / std::sqrt(static_cast<double>(dim)));
    }
    const double most = *std::max_element(scores.begin(), scores.end());
    double sum = 0.0;
    for (double& score : scores) sum += score = std::exp(score - most);
    for (std::size_t j = 0; j < keys.size(); ++j) {
      for (std::size_t i = 0; i < dim; ++i) {
        out[at + i] += scores[j] / sum * values[j][kv + i];
      }
    }
  }
  return out;
}

void AddInPlace(Vector& to, const Vector& from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

}  // namespace

std::vector<std::vector<float>> DenseLinears(const Model& model) {
  std::vector<std::vector<float>> linears;
  for (int layer = 0; layer < model.config().num_layers; ++layer) {
    for (int kind = 0; kind < kLinearsPerBlock; ++kind) {
      const auto dense = model.linear(layer, static_cast<LinearKind>(kind));
      linears.emplace_back(dense.begin(), dense.end());
    }
  }
  return linears;
}

std::vector<double> ReferenceLogits(
    const Model& model,
    const std::vector<std::vector<float>>& linears,
    std::span<const int> tokens) {
  const ModelConfig& config = model.config();
  const auto width = static_cast<std::size_t>(config.hidden_size);
  std::vector<Vector> x;
  for (const int token : tokens) {
    const auto row = model.embedding().subspan(
        static_cast<std::size_t>(token) * width, width);
    x.emplace_back(row.begin(), row.end());
  }
  for (int layer = 0; layer < config.num_layers; ++layer) {
    const auto weight = [&](LinearKind kind) -> std::span<const float> {
      return linears[static_cast<std::size_t>(layer * kLinearsPerBlock) +
                     static_cast<std::size_t>(kind)];
    };
    std::vector<Vector> keys;
    std::vector<Vector> values;
    for (std::size_t t = 0; t < x.size(); ++t) {
      const Vector normed =
          Norm(x[t], model.attention_norm(layer), config.rms_norm_eps);
      Vector query = Times(weight(LinearKind::kQ), normed);
      keys.push_back(Times(weight(LinearKind::kK), normed));
      values.push_back(Times(weight(LinearKind::kV), normed));
      const auto dim = static_cast<std::size_t>(config.head_dim);
      const auto theta = static_cast<double>(config.rope_theta);
      Rotate(query, dim, static_cast<double>(t), theta);
      Rotate(keys.back(), dim, static_cast<double>(t), theta);
      AddInPlace(x[t],
                 Times(weight(LinearKind::kO),
                       AttendOne(query, keys, values, config)));
      const Vector second =
          Norm(x[t], model.mlp_norm(layer), config.rms_norm_eps);
      Vector gate = Times(weight(LinearKind::kGate), second);
      const Vector up = Times(weight(LinearKind::kUp), second);
      for (std::size_t i = 0; i < gate.size(); ++i) {
        gate[i] *= up[i] / (1.0 + std::exp(-gate[i]));
      }
      AddInPlace(x[t], Times(weight(LinearKind::kDown), gate));
    }
  }
  std::vector<double> logits;
  for (const Vector& hidden : x) {
    const Vector row = Times(
        model.head(), Norm(hidden, model.final_norm(), config.rms_norm_eps));
    logits.insert(logits.end(), row.begin(), row.end());
  }
  return logits;
}

double ReferenceLoss(std::span<const double> row, int token) {
  double sum = 0.0;
  for (const double value : row) sum += std::exp(value);
  return std::log(sum) - row[static_cast<std::size_t>(token)];
}

}  // namespace bitpact::test
