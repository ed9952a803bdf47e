#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/run_record.h"
#include "study/planned_run.h"

namespace gcg {

/// A number of a finished run that --verify can compare.
struct Quantity {
  std::string_view name;
  std::string_view about;
  double (*of)(const RunRecord&);  ///< NaN: the run has none
};

/// density, first density, epochs, density x epochs, FLOPs of a pass, validation accuracy, test
/// accuracy, d*. Accuracies and densities are in [0, 1].
std::span<const Quantity> quantity_table();

enum class Verdict : std::uint8_t { pass, fail, not_comparable };

/// One expected value compared with the measured one.
struct Comparison {
  double mean = 0;
  std::int64_t runs = 0;     ///< finished runs in the mean
  std::int64_t planned = 0;  ///< runs of the curve
  Verdict verdict = Verdict::not_comparable;
  std::string reason{};  ///< why not comparable
};

/// Compares one expected value with the records of the curve's finished runs, out of `planned`, at
/// a scale and on a data set. It fails if the mean differs by more than the tolerance or is not a
/// number. Errors: an unknown quantity.
Comparison compare(const Expected& expected, const std::vector<const RunRecord*>& finished,
                   std::int64_t planned, const ExperimentRequest& request);

/// --verify: reads every run file of the selected runs (marker, size, checksum, layout, identity)
/// and checks that their data digests agree; prints that and the table of expected values. Returns
/// whether nothing failed.
bool verify(const Experiment& experiment, const StudySettings& settings,
            const std::vector<PlannedRun>& planned);

}  // namespace gcg
