#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "study/planned_run.h"

namespace gcg {

/// Version of the study file; raised with every change of its layout. The analysis refuses others.
inline constexpr std::int64_t kStudyVersion = 2;

/// The list of runs that the analysis starts from, as JSON: for every run its curve, what that is
/// (Part), seed, name and options. It is written to OUT/NAME-SCALE.json.
std::string study_text(const Experiment& experiment, const StudySettings& settings,
                       const std::vector<PlannedRun>& planned);
std::filesystem::path study_file(const Experiment& experiment, const StudySettings& settings);

/// Writes it. Runs of other seeds that an earlier launch of the same study left stay in it: tables
/// lose no seed because fewer are asked for. Errors: the file is that of a study on other data, or
/// of other precision or execution, whose tables this one would replace.
void write_study_file(const Experiment& experiment, const StudySettings& settings,
                      const std::vector<PlannedRun>& planned);

/// Names of finished runs in an earlier study file that another version of the defaults or of the
/// layout made, to tell the user. They are neither used nor changed.
std::vector<std::string> outdated_runs(const Experiment& experiment, const StudySettings& settings,
                                       const std::vector<PlannedRun>& planned);

}  // namespace gcg
