// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_OPB_READER_H_
#define BITPACT_SOLVERS_OPB_READER_H_

// Pseudo-Boolean programmes with products, the form QPLIB publishes its binary
// instances in (OPB of the Pseudo-Boolean Competition, Roussel & Manquinho
// 2009, non-linear): comment lines starting with '*', of which the first says
// "#variable= n #constraint= m"; "min: +3 x1 -2 x1 x2 ... ;"; then rows
// "+1 x1 +2 x3 >= 2 ;" with >= , <= or =. Whole coefficients; products of at
// most two variables, in the objective only; no negated literals.
//
// * A row "sum of distinct x = 1" whose variables no earlier such row has
//   becomes a unit with one option a variable; products inside it are zero and
//   dropped.
// * Any other variable is a unit of the options "0" and "1".
// * Any other row becomes a resource, an equality two; negative coefficients
//   are shifted to the unit's other options, as sizes may not be negative.
//
// The objective is the file's, to be minimised; no scaling is undone.

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

struct OpbProblem {
  AllocationProblem problem;
  // Where variable x(i+1) is 1.
  struct Place {
    int unit = 0;
    int option = 0;
  };
  std::vector<Place> places;

  // The plan at the values of x1, x2, ..; kInvalidArgument when there are too
  // few or many, or a one-hot group has none or several ones.
  [[nodiscard]] Expected<Assignment> PlanOf(
      const std::vector<bool>& values) const;
};

// kNotFound, kDataLoss (file ends early), kUnsupported (a product of three, a
// product in a row, a negated literal, "max:"), kInvalidArgument (names file,
// line, value, rule: n in 1..20000, at most 10^5 rows, coefficients within
// +-2^50 in the objective and +-2^40 in rows).
Expected<OpbProblem> ReadOpb(const std::filesystem::path& file);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_OPB_READER_H_
