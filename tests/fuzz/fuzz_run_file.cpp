// A run file and a checkpoint of any bytes: their checksums stand before the HDF5 library.
#include "fuzz/target.h"
#include "record/checkpoint.h"
#include "record/run_file.h"
#include "record/sample_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gcg;
  static const test::FuzzFolder folder;
  folder.write("run.h5", data, size);
  folder.write("checkpoint.gcg", data, size);
  folder.write("stages/stage_000.gcg", data, size);
  test::try_to([&] { (void)read_run_file(folder / "run.h5"); });
  test::try_to([&] { (void)read_stage(folder.path(), 0); });
  return test::try_to([&] {
    std::string note;
    (void)read_checkpoint(folder.path(), note);
  });
}

std::vector<std::vector<std::uint8_t>> gcg::test::fuzz_seeds() {
  const FuzzFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  write_checkpoint(folder.path(), sample_checkpoint());
  write_stage(folder.path(), 0, sample_checkpoint())();
  return {seed_of(read_file(folder / "run.h5")), seed_of(read_file(folder / "checkpoint.gcg")),
          seed_of(read_file(folder / "stages/stage_000.gcg"))};
}
