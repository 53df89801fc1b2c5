// SPDX-License-Identifier: Apache-2.0
#include "solvers/model_writers.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

namespace bitpact {
namespace {

std::string Shown(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.17g", value);
  return text.data();
}

std::string Column(std::size_t column) { return "c" + std::to_string(column); }
std::string Column(int column) { return "c" + std::to_string(column); }

bool IsFinite(double value) { return std::isfinite(value); }

// "+ 3 c1" with the sign apart, as LP wants it.
std::string Signed(double coefficient, const std::string& what) {
  return std::string(std::signbit(coefficient) ? " - " : " + ") +
         Shown(std::abs(coefficient)) + " " + what;
}

// Lines of LP files must stay short for some readers.
constexpr int kTermsPerLine = 6;

class TermWriter {
 public:
  explicit TermWriter(std::ostream& out) : out_(out) {}
  void Add(const std::string& term) {
    if (count_ > 0 && count_ % kTermsPerLine == 0) out_ << "\n ";
    out_ << term;
    ++count_;
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  std::ostream& out_;
  int count_ = 0;
};

void WriteLpObjective(const MilpModel& milp,
                      std::span<const PairTerm> products,
                      std::ostream& out) {
  out << "Minimize\n obj:";
  TermWriter terms(out);
  for (std::size_t c = 0; c < milp.columns.size(); ++c) {
    const double cost = milp.scale * milp.columns[c].cost;
    if (cost != 0.0) terms.Add(Signed(cost, Column(c)));
  }
  terms.Add(Signed(milp.offset, "cst"));
  if (!products.empty()) {
    out << " + [";
    TermWriter quadratic(out);
    for (const PairTerm& pair : products) {
      quadratic.Add(Signed(2.0 * pair.value,
                           Column(pair.first) + " * " + Column(pair.second)));
    }
    out << " ] / 2";
  }
  out << "\n";
}

void WriteLpRow(const std::string& name,
                const MilpModel::Row& row,
                const char* relation,
                double right,
                std::ostream& out) {
  out << " " << name << ":";
  TermWriter terms(out);
  for (std::size_t t = 0; t < row.columns.size(); ++t) {
    terms.Add(Signed(row.coefficients[t], Column(row.columns[t])));
  }
  // A row without terms still has something to say about feasibility.
  if (terms.empty()) terms.Add(" 0 cst");
  out << " " << relation << " " << Shown(right) << "\n";
}

void WriteLpRows(const MilpModel& milp, std::ostream& out) {
  out << "Subject To\n";
  for (std::size_t r = 0; r < milp.rows.size(); ++r) {
    const MilpModel::Row& row = milp.rows[r];
    const std::string name = "r" + std::to_string(r);
    if (row.lower == row.upper) {
      WriteLpRow(name, row, "=", row.upper, out);
      continue;
    }
    const bool is_range = IsFinite(row.lower) && IsFinite(row.upper);
    if (IsFinite(row.upper)) WriteLpRow(name, row, "<=", row.upper, out);
    if (IsFinite(row.lower)) {
      WriteLpRow(is_range ? name + "_low" : name, row, ">=", row.lower, out);
    }
  }
  // LP files need a row.
  if (milp.rows.empty()) out << " r0: cst <= 1\n";
}

// By the finite sides; a range is an L with its width in RANGES.
char MpsKind(const MilpModel::Row& row) {
  if (row.lower == row.upper) return 'E';
  if (IsFinite(row.upper)) return 'L';
  return IsFinite(row.lower) ? 'G' : 'N';
}

struct MpsEntry {
  std::size_t row = 0;
  double coefficient = 0.0;
};

std::vector<std::vector<MpsEntry>> ByColumn(const MilpModel& milp) {
  std::vector<std::vector<MpsEntry>> entries(milp.columns.size());
  for (std::size_t r = 0; r < milp.rows.size(); ++r) {
    const MilpModel::Row& row = milp.rows[r];
    for (std::size_t t = 0; t < row.columns.size(); ++t) {
      entries[static_cast<std::size_t>(row.columns[t])].push_back(
          {r, row.coefficients[t]});
    }
  }
  return entries;
}

void WriteMpsColumns(const MilpModel& milp, std::ostream& out) {
  const std::vector<std::vector<MpsEntry>> entries = ByColumn(milp);
  out << "COLUMNS\n";
  bool is_whole = false;
  const auto mark = [&](const char* kind) {
    out << "    MARK" << kind[3] << " 'MARKER' '" << kind << "'\n";
  };
  for (std::size_t c = 0; c < milp.columns.size(); ++c) {
    const MilpModel::Column& column = milp.columns[c];
    if (column.is_integer != is_whole) {
      mark(column.is_integer ? "INTORG" : "INTEND");
      is_whole = column.is_integer;
    }
    // The cost is written even when 0, so that every column is declared.
    out << "    " << Column(c) << " obj " << Shown(milp.scale * column.cost)
        << "\n";
    for (const MpsEntry& entry : entries[c]) {
      out << "    " << Column(c) << " r" << entry.row << " "
          << Shown(entry.coefficient) << "\n";
    }
  }
  if (is_whole) mark("INTEND");
  if (milp.offset != 0.0) out << "    cst obj " << Shown(milp.offset) << "\n";
}

void WriteMpsSides(const MilpModel& milp, std::ostream& out) {
  out << "RHS\n";
  bool has_range = false;
  for (std::size_t r = 0; r < milp.rows.size(); ++r) {
    const MilpModel::Row& row = milp.rows[r];
    const char kind = MpsKind(row);
    const double right = kind == 'G' ? row.lower : row.upper;
    if (kind != 'N' && right != 0.0) {
      out << "    rhs r" << r << " " << Shown(right) << "\n";
    }
    has_range = has_range || (kind == 'L' && IsFinite(row.lower));
  }
  if (!has_range) return;
  out << "RANGES\n";
  for (std::size_t r = 0; r < milp.rows.size(); ++r) {
    const MilpModel::Row& row = milp.rows[r];
    if (MpsKind(row) != 'L' || !IsFinite(row.lower)) continue;
    out << "    rng r" << r << " " << Shown(row.upper - row.lower) << "\n";
  }
}

void WriteMpsBounds(const MilpModel& milp, std::ostream& out) {
  out << "BOUNDS\n";
  for (std::size_t c = 0; c < milp.columns.size(); ++c) {
    const MilpModel::Column& column = milp.columns[c];
    out << " LO bnd " << Column(c) << " " << Shown(column.lower) << "\n";
    if (IsFinite(column.upper)) {
      out << " UP bnd " << Column(c) << " " << Shown(column.upper) << "\n";
    } else {
      out << " PL bnd " << Column(c) << "\n";
    }
  }
  if (milp.offset != 0.0) out << " FX bnd cst 1\n";
}

}  // namespace

QuadraticModel MakeQuadraticModel(const ReducedProblem& problem) {
  QuadraticModel model{.linear = LinearPart(problem), .products = {}};
  for (int i = 0; i < problem.NumVariables(); ++i) {
    problem.pairs.ForEachInRow(i, [&](int j, double value) {
      if (j > i) model.products.push_back({i, j, value});
    });
  }
  return model;
}

void WriteLp(const MilpModel& milp,
             std::span<const PairTerm> products,
             std::ostream& out) {
  WriteLpObjective(milp, products, out);
  WriteLpRows(milp, out);
  out << "Bounds\n cst = 1\n";
  for (std::size_t c = 0; c < milp.columns.size(); ++c) {
    const MilpModel::Column& column = milp.columns[c];
    out << " " << Shown(column.lower) << " <= " << Column(c);
    if (IsFinite(column.upper)) out << " <= " << Shown(column.upper);
    out << "\n";
  }
  out << "Generals\n";
  TermWriter names(out);
  for (std::size_t c = 0; c < milp.columns.size(); ++c) {
    if (milp.columns[c].is_integer) names.Add(" " + Column(c));
  }
  out << "\nEnd\n";
}

void WriteMps(const MilpModel& milp,
              std::span<const PairTerm> products,
              std::ostream& out) {
  out << "NAME bitpact FREE\nROWS\n N obj\n";
  for (std::size_t r = 0; r < milp.rows.size(); ++r) {
    out << " " << MpsKind(milp.rows[r]) << " r" << r << "\n";
  }
  WriteMpsColumns(milp, out);
  WriteMpsSides(milp, out);
  WriteMpsBounds(milp, out);
  if (!products.empty()) {
    out << "QUADOBJ\n";
    for (const PairTerm& pair : products) {
      out << "    " << Column(pair.first) << " " << Column(pair.second) << " "
          << Shown(pair.value) << "\n";
    }
  }
  out << "ENDATA\n";
}

}  // namespace bitpact
