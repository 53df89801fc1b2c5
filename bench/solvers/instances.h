// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_BENCH_SOLVERS_INSTANCES_H_
#define BITPACT_BENCH_SOLVERS_INSTANCES_H_

// What the solvers' bench solves: published instances from a folder, and
// allocation problems in the forms of the literature, fixed by a seed.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "solvers/allocation_problem.h"

namespace bitpact::bench {

struct Instance {
  std::string name;
  AllocationProblem problem;
  std::optional<double> best_known;  // objective to be minimised
};

// Damage a_i = exp(0.8 N(0,1)) of the low option of each of `units`; pairs
// K = (1 - shrink) S + shrink diag(S), S the covariance of 100 marginals
// a_i (e_i + sum of 4 common factors), times `ratio` * (linear / quadratic sum
// of a random half of the units). Seven tensor sizes in turn, budget half way.
struct GeneratorSpec {
  // "coop": as above, low and high. "coop-lowrank": the same statistics with
  // the pairs kept as the 100 marginals' factor, memory units * 100.
  // "indefinite": half of K's mean magnitude as symmetric noise on top.
  // "random": noise alone, no diagonal. "onehot": `options` of 2, 3, 4, (6,) 8
  // bits, a unit's error times 4^-(bits - 2) (pairs: the product of both
  // factors 2^-(bits - 2)), budget of 4 bits. "onehot-indefinite": the same
  // with the noise of "indefinite". "separable": no pairs, `options` (up to 6)
  // of 2, 3, 4, 5, 6, 8 bits, odd numbers of weights, sizes to the byte.
  std::string kind = "coop";
  int units = 224;
  int options = 4;  // of the one-hot kinds: 4 or 5; separable: up to 6
  double ratio = 1.0;
  double shrink = 0.5;
  std::uint64_t seed = 1;
};
[[nodiscard]] Instance Generate(const GeneratorSpec& spec);

// The instances that folder/index.csv lists, in its order: columns "file",
// optionally "set" (a subfolder), and "best_known" or "opb_objective(min)".
// *.txt is a quadratic knapsack (values there are maxima), *.sparse an
// unconstrained programme, *.opb a pseudo-Boolean one. `filter`: only names
// that contain it. kNotFound and whatever the readers say.
Expected<std::vector<Instance>> ReadFolder(const std::filesystem::path& folder,
                                           const std::string& filter);

}  // namespace bitpact::bench

#endif  // BITPACT_BENCH_SOLVERS_INSTANCES_H_
