#include "study/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/error.h"
#include "base/lookup.h"
#include "record/run_file.h"

namespace gcg {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double density(const RunRecord& record) { return record.result ? record.result->density : kNone; }

double first_density(const RunRecord& record) {
  return record.stages.empty() ? kNone : record.stages.front().density;
}

double epochs(const RunRecord& record) { return static_cast<double>(record.cost.epochs); }

double density_epochs(const RunRecord& record) { return record.cost.density_epochs; }

/// Of a run whose mask never changes it is 1: every training image of every epoch costs three
/// forward passes of the final network.
double flops_of_a_pass(const RunRecord& record) {
  if (!record.result) {
    return kNone;
  }
  return record.cost.training_flops /
         (3 * record.result->inference_flops * static_cast<double>(record.cost.epochs) *
          static_cast<double>(record.identity.train_images));
}

double validation_accuracy(const RunRecord& record) {
  return record.result ? record.result->validation_accuracy : kNone;
}

double test_accuracy(const RunRecord& record) {
  return record.result ? record.result->test_accuracy : kNone;
}

double d_star(const RunRecord& record) {
  for (auto stage = record.stages.rbegin(); stage != record.stages.rend(); ++stage) {
    if (stage->fit.outcome == Outcome::found) {
      return stage->fit.d_star;
    }
  }
  return kNone;
}

constexpr std::array<Quantity, 8> kQuantities{{
    {"density", "present / all connections at the end", density},
    {"first density", "of the first stage", first_density},
    {"epochs", "of training in all", epochs},
    {"density x epochs", "sum over epochs of density: the source's cost", density_epochs},
    {"FLOPs of a pass", "training FLOPs / (3 forward passes of the final network per image)",
     flops_of_a_pass},
    {"validation accuracy", "after the last epoch", validation_accuracy},
    {"test accuracy", "at the end", test_accuracy},
    {"d*", "of the last fit that found one", d_star},
}};

std::string_view verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::fail:
      return "FAIL";
    case Verdict::not_comparable:
      return "not comparable";
  }
  return "";
}

Comparison not_comparable(Comparison comparison, std::string reason) {
  comparison.verdict = Verdict::not_comparable;
  comparison.reason = std::move(reason);
  return comparison;
}

/// Whether all run files that are there are whole, this program's, and of the same images.
bool check_files(const std::vector<PlannedRun>& planned) {
  std::int64_t whole = 0;
  std::int64_t missing = 0;
  std::vector<std::string> wrong;
  std::vector<std::string> failed;
  std::map<std::string, std::map<std::string, std::int64_t>> digests;  // by the images' options
  std::set<std::string> seen;
  for (const PlannedRun& run : planned) {
    if (!run.selected || !seen.insert(run.plan->identity.name).second) {
      continue;
    }
    if (!run.disk.data_digest.empty()) {
      ++digests[images_of(*run.plan)][run.disk.data_digest];
    }
    if (run.disk.state == DiskState::damaged || run.disk.state == DiskState::foreign ||
        run.disk.unusable) {
      wrong.push_back(fmt::format("{}: {}", name_of(run.disk.state), run.disk.note));
    } else if (run.disk.state == DiskState::failed) {
      failed.push_back(fmt::format("failed: {}: {}", run.plan->identity.name, why_failed(run)));
    } else if (std::filesystem::exists(run.file())) {
      ++whole;
    } else {
      ++missing;
    }
  }
  fmt::print("run files: {} whole, {} damaged or foreign, {} of failed runs, {} not there yet\n",
             whole, wrong.size(), failed.size(), missing);
  if (whole == 0) {
    fmt::print("nothing was verified: no run is there\n");
  }
  wrong.insert(wrong.end(), failed.begin(), failed.end());
  for (const std::string& text : wrong) {
    fmt::print("  {}\n", text);
  }
  bool same = true;
  for (const auto& [images, seen_by] : digests) {
    for (const auto& [digest, count] : seen_by) {
      fmt::print("data: {} runs of digest {}\n", count, digest.substr(0, 12));
    }
    if (seen_by.size() > 1) {
      fmt::print("FAIL: runs on {} saw different images\n", images);
      same = false;
    }
  }
  return wrong.empty() && same && whole > 0;
}

}  // namespace

std::span<const Quantity> quantity_table() { return kQuantities; }

Comparison compare(const Expected& expected, const std::vector<const RunRecord*>& finished,
                   std::int64_t planned, const ExperimentRequest& request) {
  const Quantity& quantity = find_row(kQuantities, expected.quantity, "expected value");
  Comparison comparison;
  comparison.runs = std::ssize(finished);
  comparison.planned = planned;
  if (!expected.scale.empty() && expected.scale != request.scale.name) {
    return not_comparable(comparison, fmt::format("of the {} scale", expected.scale));
  }
  if (!expected.data.empty() && expected.data != request.data) {
    return not_comparable(comparison, fmt::format("of data {}", expected.data));
  }
  if (planned == 0) {
    return not_comparable(comparison, "no such curve at this scale");
  }
  if (finished.empty()) {
    return not_comparable(comparison, "no run is finished");
  }
  double sum = 0;
  for (const RunRecord* record : finished) {
    const std::int64_t images = record->identity.train_images + record->identity.validation_images;
    if (expected.images != 0 && images != expected.images) {
      return not_comparable(comparison,
                            fmt::format("other data: {} images for training and validation, not {}",
                                        images, expected.images));
    }
    sum += quantity.of(*record);
  }
  comparison.mean = sum / static_cast<double>(finished.size());
  const bool close = std::abs(comparison.mean - expected.value) <= expected.tolerance;
  comparison.verdict = close ? Verdict::pass : Verdict::fail;
  if (comparison.runs < planned) {
    comparison.reason = fmt::format("{} of {} runs", comparison.runs, planned);
  }
  return comparison;
}

bool verify(const Experiment& experiment, const StudySettings& settings,
            const std::vector<PlannedRun>& planned) {
  if (!std::filesystem::is_directory(settings.out)) {
    throw Error(settings.out, "there is no such folder: nothing can be verified",
                "name the folder of the runs: --out FOLDER");
  }
  bool good = check_files(planned);
  if (experiment.of.expected == nullptr) {
    fmt::print("{} has no table of expected values\n", experiment.name);
    return good;
  }
  std::map<std::string, std::vector<Expected>> by_curve;
  std::vector<std::string> curves;
  std::size_t width = 5;
  for (Expected& expected : experiment.of.expected(settings.request)) {
    if (expected.curve.find(settings.only) == std::string::npos) {
      continue;
    }
    width = std::max(width, expected.curve.size());
    if (!by_curve.contains(expected.curve)) {
      curves.push_back(expected.curve);
    }
    by_curve[expected.curve].push_back(std::move(expected));
  }
  fmt::print("\n{:<{}}  {:<19}  {:>10}  {:>9}  {:>10}  {:>3}  {:<14}  source\n", "curve", width,
             "quantity", "expected", "tolerance", "measured", "n", "verdict");
  std::map<Verdict, std::int64_t> counts;
  for (const std::string& curve : curves) {
    // The records of one curve at a time: they hold every mask.
    std::vector<RunRecord> records;
    std::int64_t of_curve = 0;
    for (const PlannedRun& run : planned) {
      of_curve += run.run.curve == curve ? 1 : 0;
      if (run.run.curve == curve && run.disk.state == DiskState::finished) {
        records.push_back(read_run_file(run.file()));
      }
    }
    std::vector<const RunRecord*> finished;
    finished.reserve(records.size());
    for (const RunRecord& record : records) {
      finished.push_back(&record);
    }
    for (const Expected& expected : by_curve[curve]) {
      const Comparison result = compare(expected, finished, of_curve, settings.request);
      ++counts[result.verdict];
      const bool measured = result.verdict != Verdict::not_comparable;
      fmt::print("{:<{}}  {:<19}  {:>10.5g}  {:>9.2g}  {:>10}  {:>3}  {:<14}  {}{}\n", curve, width,
                 expected.quantity, expected.value, expected.tolerance,
                 measured ? fmt::format("{:.5g}", result.mean) : "", result.runs,
                 verdict_text(result.verdict),
                 result.reason.empty() ? "" : "(" + result.reason + ") ", expected.source);
    }
  }
  fmt::print("\n{} pass, {} fail, {} not comparable\n", counts[Verdict::pass],
             counts[Verdict::fail], counts[Verdict::not_comparable]);
  return good && counts[Verdict::fail] == 0;
}

}  // namespace gcg
