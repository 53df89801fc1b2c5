// SPDX-License-Identifier: Apache-2.0
#include "cli/baq_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <sstream>

#include "cli/gnuplot.h"
#include "cli/text_table.h"
#include "core/atomic_file.h"
#include "quant/baq_theory.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostMatrices = 8;

std::string Printed(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

// "model.layers.3.mlp.down_proj.weight" -> "layers.3 down_proj".
std::string ShortName(const std::string& tensor) {
  std::vector<std::string> parts;
  std::istringstream stream(tensor);
  for (std::string part; std::getline(stream, part, '.');) {
    parts.push_back(part);
  }
  if (parts.size() < 6 || parts[1] != "layers") return tensor;
  return "block " + parts[2] + ", " + parts[parts.size() - 2];
}

// The last part of the name that says what the matrix does.
std::string Kind(const std::string& tensor) {
  const std::string name = ShortName(tensor);
  const auto space = name.rfind(' ');
  return space == std::string::npos ? "other" : name.substr(space + 1);
}

// A text that gnuplot takes as it is, in double quotes, in its enhanced mode.
std::string Plain(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    if (c == '"' || c == '\\') continue;
    if (c == '_' || c == '^' || c == '{' || c == '}' || c == '@' || c == '&' ||
        c == '~') {
      plain += "\\\\";
    }
    plain += c;
  }
  return "\"" + plain + "\"";
}

Expected<std::vector<const BaqOutcome*>> Chosen(
    const std::vector<BaqOutcome>& outcomes,
    const std::vector<std::string>& tensors) {
  std::vector<const BaqOutcome*> chosen;
  if (!tensors.empty()) {
    if (tensors.size() > kMostMatrices) {
      return InvalidArgument("a picture holds at most " +
                             std::to_string(kMostMatrices) + " matrices, not " +
                             std::to_string(tensors.size()));
    }
    for (const std::string& tensor : tensors) {
      const auto found =
          std::ranges::find(outcomes, tensor, &BaqOutcome::tensor);
      if (found == outcomes.end()) {
        return Fail(ErrorCode::kNotFound,
                    "no matrix '" + tensor +
                        "' was made in this run; there is '" +
                        outcomes.front().tensor + "' and " +
                        std::to_string(outcomes.size() - 1) + " more");
      }
      chosen.push_back(&*found);
    }
    return chosen;
  }
  for (const BaqOutcome& outcome : outcomes) chosen.push_back(&outcome);
  std::ranges::stable_sort(chosen, {}, &BaqOutcome::weighted_gain);
  if (chosen.size() > 3) {
    chosen = {chosen.front(), chosen[chosen.size() / 2], chosen.back()};
  }
  return chosen;
}

// One block a matrix, a line a column: its index, its place when columns are
// sorted by what they count, most first, bits, and the rate of the closed form
// for the same mean.
std::string LevelsData(const std::vector<const BaqOutcome*>& matrices) {
  std::string text = "# column  place  log2(levels)  closed-form-rate\n";
  for (const BaqOutcome* matrix : matrices) {
    text += "# " + matrix->tensor + "\n";
    const std::vector<double> rates =
        ClosedFormRates(matrix->weights, matrix->reported_rate);
    std::vector<std::size_t> order(rates.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
      return rates[a] > rates[b];
    });
    std::vector<std::size_t> places(order.size());
    for (std::size_t at = 0; at < order.size(); ++at) places[order[at]] = at;
    for (std::size_t col = 0; col < rates.size(); ++col) {
      text += std::to_string(col) + " " + std::to_string(places[col]) + " " +
              Printed(std::log2(matrix->levels[col])) + " " +
              Printed(rates[col]) + "\n";
    }
    text += "\n\n";
  }
  return text;
}

// Both files of a picture by one script.
std::string ScriptOf(const std::string& name,
                     int width,
                     int height,
                     const std::string& body) {
  const auto size = [&](double factor) {
    return std::to_string(static_cast<int>(factor * width)) + "," +
           std::to_string(static_cast<int>(factor * height));
  };
  return "# gnuplot " + name + ".gp draws " + name + ".svg and " + name +
         ".png\nset border 3\nset tics nomirror out\n"
         "set grid y lc rgb '#dddddd' lt 1\n"
         "do for [kind in 'svg png'] {\n"
         "if (kind eq 'svg') { set terminal svg size " +
         size(1.0) +
         " font 'sans,13' background 'white' }\n"
         "if (kind eq 'png') { set terminal pngcairo size " +
         size(1.5) +
         " font 'sans,15' }\n"
         "set output '" +
         name + ".'.kind\n" + body + "unset multiplot\n}\nunset output\n";
}

std::string LevelsScript(const std::vector<const BaqOutcome*>& matrices) {
  double top = 0.0;
  for (const BaqOutcome* matrix : matrices) {
    top = std::max(top, std::log2(std::ranges::max(matrix->levels)));
  }
  const auto count = static_cast<int>(matrices.size());
  std::string body = "set multiplot layout " + std::to_string(count) +
                     ",2\nset yrange [-0.3:" + Printed(std::ceil(top) + 0.3) +
                     "]\nset ytics 1\nset ylabel 'bits of a column'\n";
  for (int at = 0; at < count; ++at) {
    const BaqOutcome& matrix = *matrices[static_cast<std::size_t>(at)];
    const std::string data =
        "'baq-levels.dat' index " + std::to_string(at) + " using ";
    const std::string range =
        "set xrange [-1:" + std::to_string(matrix.cols) + "]\n";
    const std::string about =
        ShortName(matrix.tensor) + ": mean " +
        FormatNumber(matrix.reported_rate, 2) + " bits, loss " +
        FormatNumber(matrix.weighted_gain, 2) + " of equal columns (predicted)";
    body += range + "set title " + Plain(about) +
            "\nset xlabel 'column (input channel)'\nset nokey\nplot " + data +
            "1:4 with lines lw 1 lc rgb '#bbbbbb', " + data +
            "1:3 with points pt 7 ps 0.45 lc rgb '#0072b2'\n" +
            "set title 'the same, sorted by what columns count'\n"
            "set xlabel 'place'\nset key top right samplen 2\nplot " +
            data +
            "2:4 smooth unique with lines lw 2 lc rgb '#d55e00' title "
            "'closed form', " +
            data +
            "2:3 with points pt 7 ps 0.45 lc rgb '#0072b2' title "
            "'log2 of levels'\n";
  }
  return ScriptOf("baq-levels", 1100, 60 + 270 * count, body);
}

// One block a kind of matrix, a line a matrix: the gains.
std::string GainsData(const std::vector<BaqOutcome>& outcomes,
                      std::vector<std::string>& kinds) {
  for (const BaqOutcome& outcome : outcomes) {
    const std::string kind = Kind(outcome.tensor);
    if (std::ranges::count(kinds, kind) == 0) kinds.push_back(kind);
  }
  std::string text =
      "# GM/AM-of-ranges  GM/AM-of-weights  expected  measured  tensor\n";
  for (const std::string& kind : kinds) {
    for (const BaqOutcome& outcome : outcomes) {
      if (Kind(outcome.tensor) != kind) continue;
      text += Printed(outcome.predicted_gain) + " " +
              Printed(outcome.weighted_gain) + " " +
              Printed(outcome.expected_gain) + " " +
              Printed(outcome.measured_gain()) + " " + outcome.tensor + "\n";
    }
    text += "\n\n";
  }
  return text;
}

std::string GainsScript(const std::vector<BaqOutcome>& outcomes,
                        const std::vector<std::string>& kinds) {
  // Colours that colour-blind people tell apart (Okabe & Ito).
  constexpr std::array<const char*, 8> kColours = {"#0072b2",
                                                   "#d55e00",
                                                   "#009e73",
                                                   "#cc79a7",
                                                   "#e69f00",
                                                   "#56b4e9",
                                                   "#000000",
                                                   "#999999"};
  double least = 1.0;
  double most = 1.0;
  for (const BaqOutcome& outcome : outcomes) {
    least = std::min({least,
                      outcome.predicted_gain,
                      outcome.weighted_gain,
                      outcome.expected_gain,
                      outcome.measured_gain()});
    most = std::max(most, outcome.measured_gain());
  }
  const std::string range = "[" + Printed(0.05 * std::floor(20.0 * least)) +
                            ":" + Printed(0.05 * std::ceil(20.0 * most)) +
                            "]\n";
  std::string body = "set multiplot layout 1,3\nset size square\nset xrange " +
                     range + "set yrange " + range +
                     "set ylabel 'measured loss / loss of columns alike'\n"
                     "set grid x y lc rgb '#dddddd' lt 1\n"
                     "set key top left reverse Left samplen 0.5 opaque\n";
  constexpr std::array<const char*, 3> kAxes = {
      "GM/AM of row ranges x pivots (theory)",
      "GM/AM of column energies x pivots",
      "expected of the whole levels"};
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    body += "set xlabel '" + std::string(kAxes.at(axis)) + "'\n" +
            (axis == 0 ? "" : "set nokey\n") +
            "plot x with lines lc rgb '#aaaaaa' notitle";
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      body += ", 'baq-gains.dat' index " + std::to_string(kind) + " using " +
              std::to_string(axis + 1) + ":4 with points pt " +
              std::to_string(4 + 2 * (kind % 6)) + " ps 0.9 lw 1.5 lc rgb '" +
              kColours.at(kind % kColours.size()) + "' title " +
              Plain(kinds[kind]);
    }
    body += "\n";
  }
  return ScriptOf("baq-gains", 1250, 430, body);
}

// False when there is no picture.
Expected<bool> Draw(const fs::path& folder,
                    const std::string& name,
                    const std::string& data,
                    const std::string& script) {
  auto done = WriteFileAtomically(folder / (name + ".dat"), data);
  if (done) done = WriteFileAtomically(folder / (name + ".gp"), script);
  if (!done) return tl::unexpected(done.error());
  return RunGnuplot(folder, name + ".gp");
}

}  // namespace

Expected<std::string> WriteBaqPlots(const fs::path& folder,
                                    std::vector<BaqOutcome> outcomes,
                                    const std::vector<std::string>& tensors) {
  if (outcomes.empty()) return std::string("no pictures: nothing was made");
  std::ranges::sort(outcomes, {}, &BaqOutcome::tensor);
  const auto chosen = Chosen(outcomes, tensors);
  if (!chosen) return tl::unexpected(chosen.error());
  const auto made = MakeWritableFolder(folder);
  if (!made) return tl::unexpected(made.error());
  Expected<bool> drawn =
      Draw(folder, "baq-levels", LevelsData(*chosen), LevelsScript(*chosen));
  if (!drawn) return tl::unexpected(drawn.error());
  bool all_drawn = *drawn;
  const bool measured = std::ranges::all_of(
      outcomes, [](const BaqOutcome& o) { return o.uniform_loss > 0.0; });
  if (measured) {
    std::vector<std::string> kinds;
    const std::string data = GainsData(outcomes, kinds);
    drawn = Draw(folder, "baq-gains", data, GainsScript(outcomes, kinds));
    if (!drawn) return tl::unexpected(drawn.error());
    all_drawn = all_drawn && *drawn;
  }
  return all_drawn ? std::string() : NoPicturesNote(folder, "baq-levels.gp");
}

}  // namespace bitpact
