// The state of a phase within a checkpoint.
#include "fuzz/target.h"
#include "train/phase_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return gcg::test::try_to([&] { (void)gcg::read_phase({data, data + size}, "checkpoint"); });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  PhaseState state;
  state.stage.phase.epochs = 3;
  state.stage.phase.mask_updates = {2, 5};
  state.stage.mask.scores = "path: \"folded\"";
  state.stage.mask.allocation = {{1.5, 2}, {1, 3}};
  return {seed_of(phase_text(state)), seed_of(phase_text({}))};
}
