#pragma once

#include <vector>

#include "record/run_record.h"
#include "search/search.h"
#include "search/turn.h"

namespace gcg {

/// The stages of a record as a search sees them, up to the final training: a recorded run is
/// replayed by asking the rule again after each of them.
std::vector<SearchStage> search_stages(const RunRecord& record);

/// The last way back of a record, its peak first: the index of the peak among `record.stages`, and
/// every stage on the validation images. The stages refer to the record.
struct RecordedWay {
  std::size_t first = 0;
  std::vector<WayStage> stages;
};
RecordedWay recorded_way(const RunRecord& record);

/// Compares every stage of the last way back, its peak included, with the one of least loss on the
/// validation images (StageRow::above_best). Rows without a way back stay as they are.
void compare_way_back(RunRecord& record);

/// What a search that ends with `step` has found: its density, and those of all stages of the way
/// back that the validation images do not tell from it.
SearchResult search_result(const RunRecord& record, const SearchStep& step);

}  // namespace gcg
