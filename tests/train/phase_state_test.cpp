#include "train/phase_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

PhaseState sample() {
  PhaseState state;
  state.counted = 3;
  state.stage.phase = {.role = Role::returning,
                       .stage = 4,
                       .epochs = 12,
                       .schedule = {ScheduleShape::cosine, 0.25, 0.125},
                       .first_update = 7,
                       .mask_updates = {10, 20, 25},
                       .snapshot = 9,
                       .gradient_average = 0.5};
  state.stage.mask = {.grown = 100,
                      .repaired = 2,
                      .growth_overlap = 0.75,
                      .allocation = {{1.5, 2.5}, {1, 3}},
                      .scores = "path: no images"};
  return state;
}

/// What version 3 writes. A change of this text needs a new version, and this sample another text.
constexpr const char* kSample =
    R"({"counted":3,"epochs":12,"first_update":7,"gradient_average":0.5,"grown":100,)"
    R"("growth_overlap":0.75,"integer":[1,3],"mask_updates":[10,20,25],"peak":0.25,"repaired":2,)"
    R"("role":"return","scores":"path: no images","shape":"cosine","snapshot":9,"stage":4,)"
    R"("version":3,"wanted":[1.5,2.5],"warmup":0.125})";

TEST(PhaseState, HasTheTextOfItsVersion) {
  EXPECT_EQ(kPhaseStateVersion, 3);
  EXPECT_EQ(phase_text(sample()), kSample);
  EXPECT_EQ(phase_text(read_phase(kSample, "here")), kSample);
}

TEST(PhaseState, KeepsWhatIsMissingMissing) {
  const PhaseState again = read_phase(phase_text({}), "here");
  EXPECT_FALSE(again.stage.phase.snapshot.has_value());
  EXPECT_TRUE(std::isnan(again.stage.mask.growth_overlap));
  EXPECT_EQ(phase_text(again), phase_text({}));
}

std::string edited(const std::string& from, const std::string& to) {
  std::string text = kSample;
  return text.replace(text.find(from), from.size(), to);
}

TEST(PhaseState, RequiresEveryKeyAndRefusesOthersAndOtherVersions) {
  const auto refused = [](const std::string& text, const std::string& why) {
    SCOPED_TRACE(text);
    EXPECT_THAT([&] { (void)read_phase(text, "runs/a"); },
                ThrowsMessage<Error>(::testing::AllOf(HasSubstr("runs/a: "), HasSubstr(why))));
  };
  refused(edited("\"grown\":100,", ""), "key 'grown' not found");
  refused(edited("\"grown\":100,", "\"grown\":\"many\","), "grown is string, not a whole number");
  refused(edited("\"grown\":100,", "\"grown\":100.5,"), "grown is 100.5, not a whole number");
  refused(edited("\"counted\":3,", "\"counted\":1e300,"), "counted is 1e+300, not a whole number");
  refused(edited("[10,20,25]", "[10,20,18446744073709551615]"),
          "mask_updates is 18446744073709551615, not a whole number");
  refused(edited("\"version\":3", "\"version\":3.5"), "version is 3.5, not a whole number");
  refused(edited("\"grown\":100,", "\"grown\":100,\"gone\":1,"), "unknown key \"gone\"");
  refused(edited("\"return\"", "\"retour\""), "\"retour\" is none of: dense, ");
  refused(edited("\"version\":3", "\"version\":2"), "has version 2, this program reads 3");
  refused(edited("\"version\":3,", ""), "has version 1, this program reads 3");
  refused("[]", "has version 0");
  refused("{", "byte 2: not JSON");
}

}  // namespace
}  // namespace gcg
