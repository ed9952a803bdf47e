#include "record/run_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/temporary_folder.h"
#include "record/hdf5.h"
#include "record/sample_record.h"
#include "record/visit_objects.h"
#include "record/write_bytes.h"

#ifdef __SANITIZE_ADDRESS__
/// The HDF5 library forgets some of its own memory when it gives up on damaged data.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }
#endif

namespace gcg {
namespace {

using testing::TemporaryFolder;

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// Puts a checksum behind HDF5 content, as write_run_file() does.
void seal(const std::filesystem::path& path) {
  constexpr std::string_view mark = "GCGSHA2\n";
  std::vector<std::byte> bytes = read_file(path);
  const Digest digest = sha256(bytes);
  const auto trailer = std::as_bytes(std::span(mark.data(), mark.size()));
  bytes.insert(bytes.end(), trailer.begin(), trailer.end());
  const auto sum = std::as_bytes(std::span(digest));
  bytes.insert(bytes.end(), sum.begin(), sum.end());
  write_bytes(path, bytes);
}

/// Changes a written file with the HDF5 library itself, its checksum made right.
void edit(const std::filesystem::path& path, const std::function<void(hid_t)>& change) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  change(file);
  ASSERT_GE(H5Fclose(file), 0);
  seal(path);
}

/// Replaces a data set by one of another shape and type, values unset.
void replace_array(hid_t file, const char* path, hid_t type, std::vector<hsize_t> extents) {
  H5Ldelete(file, path, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
  const hid_t array = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(array, 0);
  H5Dclose(array);
  H5Sclose(space);
}

template <typename T>
void overwrite(hid_t file, const char* path, hid_t type, const std::vector<T>& values) {
  const hid_t array = H5Dopen2(file, path, H5P_DEFAULT);
  ASSERT_GE(H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Dclose(array);
}

void overwrite_attribute(hid_t file, const char* path, const char* name, std::int64_t value) {
  const hid_t attribute = H5Aopen_by_name(file, path, name, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Awrite(attribute, H5T_NATIVE_INT64, &value), 0);
  H5Aclose(attribute);
}

std::vector<std::uint8_t> raw_bytes(const std::filesystem::path& path, const char* name) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t array = H5Dopen2(file, name, H5P_DEFAULT);
  const hid_t space = H5Dget_space(array);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  H5Dread(array, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
  H5Sclose(space);
  H5Dclose(array);
  H5Fclose(file);
  return bytes;
}

/// Paths of all groups and data sets, without the root.
std::vector<std::string> object_paths(const std::filesystem::path& path) {
  std::vector<std::string> paths;
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const auto visit = [](hid_t, const char* name, const H5O_info_t*, void* data) {
    if (std::strcmp(name, ".") != 0) {
      static_cast<std::vector<std::string>*>(data)->push_back(name);
    }
    return herr_t{0};
  };
  testing::visit_objects(file, H5_ITER_NATIVE, visit, &paths);
  H5Fclose(file);
  return paths;
}

TEST(RunFile, ReadsBackEveryMemberOfAFinishedRun) {
  const TemporaryFolder folder;
  const RunRecord record = sample_record();
  write_run_file(folder / "run.h5", record);
  EXPECT_EQ(describe(read_run_file(folder / "run.h5")), describe(record));
}

TEST(RunFile, ReadsBackARunThatHasJustBegun) {
  const TemporaryFolder folder;
  const RunRecord record = fresh_record();
  write_run_file(folder / "run.h5", record);
  const RunRecord again = read_run_file(folder / "run.h5");
  EXPECT_EQ(describe(again), describe(record));
  EXPECT_FALSE(again.result);
}

TEST(RunFile, LayersComeBackWithoutNodes) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  const Network network = read_run_file(folder / "run.h5").network;
  EXPECT_TRUE(network.nodes.empty());
  EXPECT_EQ(network.norm_count, 2);
  ASSERT_EQ(network.layers.size(), 4);
  EXPECT_EQ(network.layers[1].name, "block/1 100%");
  EXPECT_EQ(network.layers[3].name, ".");
  for (const Layer& layer : network.layers) {
    EXPECT_EQ(layer.node, -1);
  }
}

TEST(RunFile, EqualContentGivesEqualBytes) {
  const TemporaryFolder folder;
  write_run_file(folder / "a.h5", sample_record());
  write_run_file(folder / "b.h5", sample_record());
  write_run_file(folder / "c.h5", read_run_file(folder / "a.h5"));
  const auto bytes = read_file(folder / "a.h5");
  EXPECT_EQ(read_file(folder / "b.h5"), bytes);
  EXPECT_EQ(read_file(folder / "c.h5"), bytes);
  RunRecord other = sample_record();
  other.trajectory[0].seconds = 1.75;
  write_run_file(folder / "d.h5", other);
  EXPECT_NE(read_file(folder / "d.h5"), bytes);
}

TEST(RunFile, ReplacesAFileThatIsThere) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", fresh_record());
  write_run_file(folder / "run.h5", sample_record());
  EXPECT_EQ(describe(read_run_file(folder / "run.h5")), describe(sample_record()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(RunFile, PacksMasksLowestBitFirst) {
  // Layer "block/1 100%" has 4 x 5 x 1 x 3 = 60 connections; its running number is 1, so at stage 1
  // connection i is present if (i + 1) % 3 == 0: 2, 5, 8, 11, ...
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  EXPECT_THAT(raw_bytes(folder / "run.h5", "/masks/stage_001/block%2F1 100%25"),
              ElementsAre(0x24, 0x49, 0x92, 0x24, 0x49, 0x92, 0x24, 0x09));
}

TEST(RunFile, FitParametersHaveTheNamesOfTheRunsExtrapolator) {
  const TemporaryFolder folder;
  RunRecord record = sample_record();
  const auto names = [&] {
    write_run_file(folder / "run.h5", record);
    EXPECT_EQ(describe(read_run_file(folder / "run.h5")), describe(record));
    const hdf5::Image image("run.h5", read_file(folder / "run.h5"));
    return image.root().open_group("stages").open_group("fit").read_texts("parameter_names",
                                                                          {hdf5::kAny});
  };
  EXPECT_THAT(names(), ElementsAre("A1", "k", "dh"));
  record.stages[1].fit.parameters.push_back(7);
  EXPECT_THAT(names(), ElementsAre("A1", "k", "dh", "parameter_3"));
  record.identity.options.clear();
  EXPECT_THAT(names(), ElementsAre("parameter_0", "parameter_1", "parameter_2", "parameter_3"));
  for (StageRow& row : record.stages) {
    row.fit.parameters.clear();
  }
  EXPECT_THAT(names(), ElementsAre());
}

TEST(RunFile, StageMasksAreReadAlone) {
  const TemporaryFolder folder;
  const RunRecord record = sample_record();
  write_run_file(folder / "run.h5", record);
  EXPECT_EQ(read_stage_mask(folder / "run.h5", 0), record.masks[0].mask);
  EXPECT_EQ(read_stage_mask(folder / "run.h5", 1), record.masks[1].mask);
  EXPECT_EQ(read_stage_mask(folder / "run.h5", -1), record.masks[2].mask);
  EXPECT_THAT([&] { read_stage_mask(folder / "run.h5", 3); },
              ThrowsMessage<Error>(HasSubstr("run.h5: /masks/stage_003: is missing")));
  write_run_file(folder / "fresh.h5", fresh_record());
  EXPECT_THAT([&] { read_stage_mask(folder / "fresh.h5", -1); },
              ThrowsMessage<Error>(HasSubstr("fresh.h5: holds no mask: no stage has ended")));
}

TEST(RunFile, UnusualStageNumbersKeepTheirOrder) {
  const TemporaryFolder folder;
  RunRecord record = sample_record();
  record.masks[0].stage = 1234;
  record.masks[1].stage = 7;
  write_run_file(folder / "run.h5", record);
  EXPECT_EQ(describe(read_run_file(folder / "run.h5")), describe(record));
}

TEST(RunFile, WritingRefusesARecordThatContradictsItself) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::function<void(RunRecord&)>& change) {
    RunRecord record = sample_record();
    change(record);
    try {
      write_run_file(folder / "run.h5", record);
    } catch (const Error& error) {
      EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
      return std::string(error.what());
    }
    return std::string("written");
  };
  EXPECT_THAT(refused([](RunRecord& r) { r.masks[1].mask.layers[1] = LayerMask(59); }),
              HasSubstr("block/1 100%: the mask has 59 connections, the layer 60"));
  EXPECT_THAT(refused([](RunRecord& r) { r.masks[1].statistics.layers.pop_back(); }),
              HasSubstr("/statistics: statistics of 3 layers at stage 1, the network has 4"));
  EXPECT_THAT(refused([](RunRecord& r) { r.masks[2].statistics.layers[2].in_degree.pop_back(); }),
              HasSubstr("/statistics/in_degree/größe: 36 degrees at stage 2, expected 37"));
  EXPECT_THAT(refused([](RunRecord& r) { r.masks[1].stage = 0; }),
              HasSubstr("/masks: stage 0 is negative or has two masks"));
  EXPECT_THAT(refused([](RunRecord& r) { r.warnings[0] = std::string("a\0", 2); }),
              HasSubstr("/warnings: a text holds a zero byte"));
  EXPECT_THAT(refused([](RunRecord& r) { r.network.layers[1].name = "stem.conv"; }),
              AllOf(HasSubstr("stem.conv"), HasSubstr("name already exists")));
  EXPECT_THAT(
      refused([](RunRecord& r) { r.result->state.values.weights[0].pop_back(); }),
      HasSubstr("/final/values/weights/stem.conv: 134 values do not fill the shape [5, 3, 3, 3]"));
  EXPECT_THAT(refused([](RunRecord& r) { r.result->state.slots[0].values.biases.pop_back(); }),
              HasSubstr("/final/slots/momentum/biases: biases of 3 layers, the network has 4"));
  EXPECT_THAT(refused([](RunRecord& r) { r.result->state.values.norms[0].mean.clear(); }),
              HasSubstr("/final/values/norms/mean: a normalisation of 5 channels has 0 values"));
}

TEST(RunFile, RefusesWhatIsNotHdf5) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { read_run_file(folder / "none.h5"); },
              ThrowsMessage<Error>(HasSubstr("none.h5: cannot read: No such file")));
  const std::string text = "some text, long enough for a signature and for a checksum";
  for (const std::size_t size : {std::size_t{0}, text.size()}) {
    write_bytes(folder / "text.h5", std::as_bytes(std::span(text.data(), size)));
    EXPECT_THAT([&] { read_run_file(folder / "text.h5"); },
                ThrowsMessage<Error>(AllOf(HasSubstr("does not end with a checksum"),
                                           HasSubstr("run the run's command again"))));
  }
  seal(folder / "text.h5");
  EXPECT_THAT([&] { read_run_file(folder / "text.h5"); },
              ThrowsMessage<Error>(HasSubstr("text.h5: is not an HDF5 file")));
}

TEST(RunFile, RefusesATruncatedFile) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  const std::vector<std::byte> whole = read_file(folder / "run.h5");
  for (std::size_t part = 1; part < 40; ++part) {
    const std::size_t size = whole.size() * part / 40;
    SCOPED_TRACE(size);
    write_bytes(folder / "part.h5", std::span(whole).first(size));
    EXPECT_THAT([&] { read_run_file(folder / "part.h5"); },
                ThrowsMessage<Error>(HasSubstr("part.h5: is not a run file, or is truncated")));
    seal(folder / "part.h5");
    EXPECT_THAT([&] { read_run_file(folder / "part.h5"); },
                ThrowsMessage<Error>(
                    HasSubstr("part.h5: cannot open as HDF5: it is truncated or damaged")));
  }
}

TEST(RunFile, RefusesAnotherSchemaVersion) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  edit(folder / "run.h5",
       [](hid_t file) { overwrite_attribute(file, "/", "schema_version", kRunFileSchema + 1); });
  const auto message = ThrowsMessage<Error>(AllOf(
      HasSubstr("run.h5: /: has schema version 5, this program reads 4"), HasSubstr("remedy")));
  EXPECT_THAT([&] { read_run_file(folder / "run.h5"); }, message);
  EXPECT_THAT([&] { read_stage_mask(folder / "run.h5", 0); }, message);
}

TEST(RunFile, NamesEveryMissingObject) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  const std::vector<std::string> paths = object_paths(folder / "run.h5");
  ASSERT_GT(paths.size(), 100);
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    // What may be missing: the result of a run that goes on, biases, running statistics (as a
    // pair).
    if (path == "final" || path.ends_with("norms/mean") ||
        path.find("/biases/") != std::string::npos) {
      continue;
    }
    std::filesystem::copy_file(folder / "run.h5", folder / "cut.h5",
                               std::filesystem::copy_options::overwrite_existing);
    edit(folder / "cut.h5", [&](hid_t file) { H5Ldelete(file, path.c_str(), H5P_DEFAULT); });
    EXPECT_THAT([&] { read_run_file(folder / "cut.h5"); },
                ThrowsMessage<Error>(HasSubstr("cut.h5: /" + path + ": is missing")));
  }
}

TEST(RunFile, NamesEveryMisshapenDataSet) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  for (const std::string& path : object_paths(folder / "run.h5")) {
    SCOPED_TRACE(path);
    std::filesystem::copy_file(folder / "run.h5", folder / "bent.h5",
                               std::filesystem::copy_options::overwrite_existing);
    bool is_array = false;
    edit(folder / "bent.h5", [&](hid_t file) {
      const hid_t object = H5Oopen(file, path.c_str(), H5P_DEFAULT);
      is_array = H5Iget_type(object) == H5I_DATASET;
      H5Oclose(object);
      if (is_array) {
        const hid_t array = H5Dopen2(file, path.c_str(), H5P_DEFAULT);
        const hid_t type = H5Dget_type(array);
        H5Dclose(array);
        replace_array(file, path.c_str(), type, {2, 1, 1, 1, 1, 1});
        H5Tclose(type);
      }
    });
    if (is_array) {
      EXPECT_THAT(
          [&] { read_run_file(folder / "bent.h5"); },
          ThrowsMessage<Error>(AllOf(HasSubstr("bent.h5: /" + path + ": "),
                                     HasSubstr("has the shape [2, 1, 1, 1, 1, 1], expected ["))));
    }
  }
}

TEST(RunFile, TakesNoMemoryForWhatAFileOnlyClaims) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  const hsize_t huge = hsize_t{1} << 40;
  const auto refused = [&](const std::function<void(hid_t)>& change) {
    std::filesystem::copy_file(folder / "run.h5", folder / "huge.h5",
                               std::filesystem::copy_options::overwrite_existing);
    edit(folder / "huge.h5", change);
    try {
      read_run_file(folder / "huge.h5");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("read");
  };
  EXPECT_THAT(
      refused([&](hid_t f) { replace_array(f, "/trajectory/step", H5T_STD_I64LE, {huge}); }),
      HasSubstr("/trajectory/step: claims the shape [1099511627776], more than its stored bytes"));
  EXPECT_THAT(
      refused([&](hid_t f) { replace_array(f, "/statistics/stage", H5T_STD_I64LE, {huge}); }),
      HasSubstr("/statistics/stage: claims the shape"));
  // A layer table whose sizes are possible, but not those of the arrays.
  EXPECT_THAT(
      refused([&](hid_t f) {
        overwrite(f, "/layers/outputs", H5T_NATIVE_INT64,
                  std::vector<std::int64_t>{1 << 20, 4, 37, 40});
      }),
      HasSubstr("/statistics/in_degree/stem.conv: has the shape [3, 5], expected [3, 1048576]"));
  EXPECT_THAT(refused([&](hid_t f) {
                overwrite(f, "/layers/outputs", H5T_NATIVE_INT64,
                          std::vector<std::int64_t>{std::int64_t{1} << 62, 4, 37, 40});
              }),
              HasSubstr("/layers: layer stem.conv has an impossible shape"));
  EXPECT_THAT(
      refused([&](hid_t f) {
        overwrite(f, "/layers/inputs", H5T_NATIVE_INT64, std::vector<std::int64_t>{3, 5, 0, 37});
      }),
      HasSubstr("/layers: layer größe has an impossible shape"));
  EXPECT_THAT(refused([&](hid_t f) {
                overwrite(f, "/final/values/norms/channels", H5T_NATIVE_INT64,
                          std::vector<std::int64_t>{1 << 30, 1 << 30});
              }),
              HasSubstr("/final/values/norms/scale: has the shape [9], expected [2147483648]"));
}

TEST(RunFile, RefusesMasksThatContradictTheirLayer) {
  const TemporaryFolder folder;
  const char* const name = "/masks/stage_001/block%2F1 100%25";
  write_run_file(folder / "bits.h5", sample_record());
  std::vector<std::uint8_t> bytes = raw_bytes(folder / "bits.h5", name);
  bytes[7] |= 0x10;  // connection 60 of 60
  edit(folder / "bits.h5", [&](hid_t file) { overwrite(file, name, H5T_NATIVE_UINT8, bytes); });
  EXPECT_THAT(
      [&] { read_run_file(folder / "bits.h5"); },
      ThrowsMessage<Error>(HasSubstr("bits.h5: /masks/stage_001/block%2F1 100%25: a bit behind the "
                                     "last of 60 connections is set")));
  bytes[7] &= 0x0f;
  bytes[0] ^= 0x01;
  edit(folder / "bits.h5", [&](hid_t file) { overwrite(file, name, H5T_NATIVE_UINT8, bytes); });
  EXPECT_THAT([&] { read_stage_mask(folder / "bits.h5", 1); },
              ThrowsMessage<Error>(HasSubstr("21 bits are set, its attribute present says 20")));
}

TEST(RunFile, RefusesUnknownOutcomesAndFlags) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  edit(folder / "run.h5", [](hid_t file) {
    const hid_t array = H5Dopen2(file, "/options/is_default", H5P_DEFAULT);
    const hid_t type = H5Dget_type(array);
    overwrite(file, "/options/is_default", type, std::vector<std::int8_t>{0, 2, 1});
    H5Tclose(type);
    H5Dclose(array);
  });
  EXPECT_THAT([&] { read_run_file(folder / "run.h5"); },
              ThrowsMessage<Error>(
                  HasSubstr("/options/is_default: holds a flag that is neither true nor false")));
  write_run_file(folder / "run.h5", sample_record());
  edit(folder / "run.h5", [](hid_t file) {
    const hid_t array = H5Dopen2(file, "/stages/fit/outcome", H5P_DEFAULT);
    const hid_t type = H5Dget_type(array);
    std::vector<char> text(3 * H5Tget_size(type), '?');
    overwrite(file, "/stages/fit/outcome", type, text);
    H5Tclose(type);
    H5Dclose(array);
  });
  EXPECT_THAT([&] { read_run_file(folder / "run.h5"); },
              ThrowsMessage<Error>(HasSubstr("/stages/fit/outcome: \"????")));
}

TEST(RunFile, AFlippedBitIsAnError) {
  const TemporaryFolder folder;
  write_run_file(folder / "run.h5", sample_record());
  const std::vector<std::byte> whole = read_file(folder / "run.h5");
  RandomStream stream(1, "flipped-bits");
  for (int trial = 0; trial < 150; ++trial) {
    std::vector<std::byte> bytes = whole;
    const std::size_t at = stream.below(bytes.size());
    SCOPED_TRACE(at);
    bytes[at] ^= std::byte{static_cast<unsigned char>(1U << stream.below(8))};
    write_bytes(folder / "flipped.h5", bytes);
    EXPECT_THROW(read_run_file(folder / "flipped.h5"), Error);
  }
}

}  // namespace
}  // namespace gcg
