// A configuration file, and the plan that is made of it.
#include "fuzz/target.h"
#include "study/command_line.h"
#include "study/run_plan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  folder.write("run.ini", data, size);
  const std::string path = (folder / "run.ini").string();
  const char* const arguments[] = {"--config", path.c_str()};
  return test::try_to([&] { (void)make_run_plan(parse_run_command(arguments).given); });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  return {seed_of(std::string("# a run\nmethod = gcg\nseed = 3\ngrowth-ratio = 0.5\nbeta=2\n")),
          seed_of(std::string("method=fixed_mask\r\nseed-rule=erk\r\nseed-density=1e-1\r\n")),
          seed_of(std::string("method = set\nupdate-interval = 100\ntarget-density = 0.2\n"))};
}
