#include "data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <system_error>

#include "data/batches.h"
#include "data/encoded.h"
#include "data/files.h"
#include "data/image_folder.h"
#include "data/procedural.h"

namespace gcg {
namespace {

using test::error_of;
using ::testing::HasSubstr;

ImageSet raw_images(std::int64_t count) {
  DataSet data = make_procedural({count, 10, 0.5, 1});
  return data.train;
}

struct Copied {
  std::vector<float> images;
  std::vector<std::int32_t> labels;
  bool operator==(const Copied&) const = default;
};

Copied copy(const Batch& batch) {
  return {{batch.images.begin(), batch.images.end()}, {batch.labels.begin(), batch.labels.end()}};
}

bool same_place(const Placement& a, const Placement& b) {
  return a.image == b.image && a.row == b.row && a.column == b.column && a.mirrored == b.mirrored;
}

std::vector<Copied> all_batches(const SampleMaker& samples, const LoaderPlan& plan,
                                std::int64_t threads) {
  Loader loader(samples, plan, threads);
  std::vector<Copied> batches;
  for (std::int64_t b = plan.first_batch; b < loader.batches(); ++b) {
    batches.push_back(copy(loader.next()));
  }
  return batches;
}

TEST(Loader, MakesTheBatchesOfTheBatchMakerForAnyNumberOfThreads) {
  const ImageSet images = raw_images(330);
  BatchMaker maker(images, channel_statistics(images), 5);
  const LoaderPlan plan{epoch_order(330, 5, 7), 50, {4, true}, 7};
  std::vector<Copied> expected;
  for (std::size_t begin = 0; begin < 330; begin += 50) {
    const std::span part =
        std::span(plan.positions).subspan(begin, std::min<std::size_t>(50, 330 - begin));
    expected.push_back(copy(maker.augmented(part, plan.augmentation, plan.epoch)));
  }
  ASSERT_EQ(expected.back().labels.size(), 30U);
  for (const std::int64_t threads : {0, 1, 2, 5}) {
    EXPECT_EQ(all_batches(maker.samples(), plan, threads), expected) << threads << " threads";
  }
}

TEST(Loader, GoesOnInTheMiddleOfAnEpoch) {
  const ImageSet images = raw_images(100);
  const SampleMaker samples(images, channel_statistics(images), 1);
  LoaderPlan plan{epoch_order(100, 1, 0), 16, {4, true}, 0};
  const std::vector<Copied> whole = all_batches(samples, plan, 2);
  for (plan.first_batch = 0; plan.first_batch <= 7; ++plan.first_batch) {
    const std::vector<Copied> rest = all_batches(samples, plan, 2);
    EXPECT_EQ(rest, std::vector<Copied>(whole.begin() + plan.first_batch, whole.end()));
  }
}

TEST(Loader, OfEncodedImagesIsTheSameForAnyNumberOfThreads) {
  const test::TemporaryFolder folder;
  test::write_image_folder(folder.path(), 3, 6);
  const DataSet data = open_image_folder(folder.path(), "imagenet", 24);
  const SampleMaker samples(data.train, normalisation(data), 1);
  const LoaderPlan plan{epoch_order(18, 1, 0), 7, {0, true, kUsualCropShare}, 3};
  const std::vector<Copied> expected = all_batches(samples, plan, 0);
  EXPECT_EQ(expected.size(), 3U);
  EXPECT_EQ(all_batches(samples, plan, 3), expected);
}

/// A batch of an epoch, mixed by the definition.
struct Mixed {
  Copied batch;
  std::vector<std::int32_t> second_labels;
  double second_share = 0;
};

Mixed mixed(Copied batch, const LoaderPlan& plan, std::int64_t number, const Shape& shape) {
  const auto elements = static_cast<std::size_t>(shape.elements());
  const Mix mix =
      draw_mix(plan.mixing, shape,
               RandomStream(plan.seed, "mixing",
                            stream_index(plan.epoch, static_cast<std::uint64_t>(number))));
  std::vector<std::int32_t> seconds = batch.labels;
  for (std::size_t s = 0; s + 1 < batch.labels.size(); s += 2) {
    mix_pair(mix, shape, std::span(batch.images).subspan(s * elements, elements),
             std::span(batch.images).subspan((s + 1) * elements, elements));
    std::swap(seconds[s], seconds[s + 1]);
  }
  if (mix.share > 0.5) {
    std::swap(batch.labels, seconds);
  }
  return {std::move(batch), std::move(seconds), std::min(mix.share, 1 - mix.share)};
}

TEST(Loader, MixesPairsOfABatchForAnyNumberOfThreadsAndRanksAndFromAnyBatchOn) {
  const ImageSet images = raw_images(331);
  const SampleMaker samples(images, channel_statistics(images), 5);
  LoaderPlan plan{epoch_order(331, 5, 7), 50, {4, true}, 7};
  const std::vector<Copied> plain = all_batches(samples, plan, 0);
  plan.mixing = {0.8, 1};
  plan.seed = 9;
  bool exchanged = false;
  for (const std::int64_t ranks : {1, 2, 3}) {
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      for (const std::int64_t threads : {0, 3}) {
        plan.rank = rank;
        plan.ranks = ranks;
        plan.first_batch = rank;
        Loader loader(samples, plan, threads);
        for (std::int64_t b = plan.first_batch; b < loader.batches(); ++b) {
          const Mixed whole = mixed(plain[static_cast<std::size_t>(b)], plan, b, images.shape);
          exchanged = exchanged || whole.batch.labels != plain[static_cast<std::size_t>(b)].labels;
          const auto [begin, end] = share_of(std::ssize(whole.batch.labels), rank, ranks);
          const Batch batch = loader.next();
          ASSERT_EQ(batch.size(), end - begin);
          EXPECT_EQ(batch.second_share, whole.second_share);
          EXPECT_LE(batch.second_share, 0.5);
          const auto count = static_cast<std::size_t>(end - begin);
          const auto first = static_cast<std::size_t>(begin);
          const auto elements = static_cast<std::size_t>(images.shape.elements());
          EXPECT_TRUE(std::ranges::equal(
              batch.images,
              std::span(whole.batch.images).subspan(first * elements, count * elements)))
              << "batch " << b << ", rank " << rank << " of " << ranks;
          EXPECT_TRUE(std::ranges::equal(batch.labels,
                                         std::span(whole.batch.labels).subspan(first, count)));
          EXPECT_TRUE(std::ranges::equal(batch.second_labels,
                                         std::span(whole.second_labels).subspan(first, count)));
        }
      }
    }
  }
  EXPECT_TRUE(exchanged) << "no rectangle had more than half of the area";
}

TEST(Loader, MixesNothingButValues) {
  const ImageSet images = raw_images(20);
  const SampleMaker samples(images, channel_statistics(images), 5);
  LoaderPlan plan{epoch_order(20, 5, 7), 10, {}, 7};
  plan.mixing.mixup = 0.2;
  for (const Delivery delivery : {Delivery::bytes, Delivery::places}) {
    plan.delivery = delivery;
    EXPECT_THAT(error_of([&] { Loader(samples, plan, 0); }), HasSubstr("only values can be mixed"));
  }
}

/// What placing and normalising a batch of bytes gives, one value after the other.
std::vector<float> placed(const Batch& batch) {
  const RawImages& images = batch.bytes;
  const auto [channels, height, width] = images.shape;
  std::vector<float> values;
  for (const Placement& place : batch.placements) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
          const std::int64_t row = y + place.row;
          const std::int64_t column = (place.mirrored ? width - 1 - x : x) + place.column;
          const bool outside = row < 0 || row >= height || column < 0 || column >= width;
          const std::int64_t at = ((place.image * channels + c) * height + row) * width + column;
          values.push_back(outside
                               ? 0
                               : static_cast<float>(images.pixels[static_cast<std::size_t>(at)]) *
                                         images.scale[static_cast<std::size_t>(c)] +
                                     images.offset[static_cast<std::size_t>(c)]);
        }
      }
    }
  }
  return values;
}

TEST(Loader, DeliversBytesThatPlacedAndNormalisedAreTheValuesBitForBit) {
  const ImageSet images = raw_images(110);
  const SampleMaker samples(images, channel_statistics(images), 5);
  for (const std::int64_t padding : {0, 3}) {
    for (const std::int64_t threads : {0, 3}) {
      for (const std::int64_t rank : {0, 1}) {
        LoaderPlan plan{epoch_order(110, 5, 7), 40, {padding, padding > 0}, 7};
        plan.rank = rank;
        plan.ranks = 2;
        Loader values(samples, plan, threads);
        plan.delivery = Delivery::bytes;
        Loader bytes(samples, plan, threads);
        for (std::int64_t b = 0; b < values.batches(); ++b) {
          const Batch expected = values.next();
          const Batch batch = bytes.next();
          EXPECT_TRUE(batch.images.empty());
          EXPECT_EQ(batch.of, expected.of);
          EXPECT_TRUE(std::ranges::equal(batch.labels, expected.labels));
          EXPECT_TRUE(std::ranges::equal(placed(batch), expected.images))
              << "padding " << padding << ", rank " << rank << ", batch " << b;
        }
      }
    }
  }
}

TEST(Loader, DeliversBytesOfEncodedImagesThatAreTheirValuesRounded) {
  const test::TemporaryFolder folder;
  test::write_image_folder(folder.path(), 3, 6);
  const DataSet data = open_image_folder(folder.path(), "imagenet", 24);
  const SampleMaker samples(data.train, normalisation(data), 1);
  LoaderPlan plan{epoch_order(18, 1, 0), 7, {0, true, kUsualCropShare}, 3};
  Loader values(samples, plan, 2);
  plan.delivery = Delivery::bytes;
  Loader bytes(samples, plan, 2);
  const std::span<const float> scale = samples.raw().scale;
  const float half_a_level = 0.5001F * *std::ranges::max_element(scale);
  for (std::int64_t b = 0; b < values.batches(); ++b) {
    const Batch expected = values.next();
    const std::vector<float> found = placed(bytes.next());
    ASSERT_EQ(found.size(), expected.images.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_NEAR(found[i], expected.images[i], half_a_level) << "batch " << b << ", value " << i;
    }
  }
}

TEST(Loader, MayBeLeftInTheMiddle) {
  const ImageSet images = raw_images(400);
  const SampleMaker samples(images, channel_statistics(images), 1);
  for (int taken = 0; taken < 4; ++taken) {
    Loader plain(samples, {epoch_order(400, 1, 0), 20, {}, 0}, 0);
    Loader loader(samples, {epoch_order(400, 1, 0), 20, {}, 0}, 3);
    for (int b = 0; b < taken; ++b) {
      const Batch batch = loader.next();
      const Batch expected = plain.next();
      EXPECT_TRUE(std::ranges::equal(batch.images, expected.images)) << b;
      EXPECT_TRUE(std::ranges::equal(batch.labels, expected.labels)) << b;
    }
    // Its threads end with it, whatever they are at: else this does not return.
  }
}

TEST(Loader, MakesOnePlanAfterTheOtherOnTheSameThreads) {
  const ImageSet images = raw_images(400);
  const ImageSet others = raw_images(90);
  const SampleMaker samples(images, channel_statistics(images), 1);
  const SampleMaker other_samples(others, channel_statistics(others), 1);
  std::vector<std::pair<const SampleMaker*, LoaderPlan>> plans;
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    plans.push_back({&samples, {epoch_order(400, 1, epoch), 64, {4, true}, epoch}});
    plans.push_back({&other_samples, {epoch_order(90, 1, 0), 17, {}}});
    LoaderPlan held{epoch_order(400, 1, epoch), 50, {4, true}, epoch, 2};
    held.delivery = Delivery::places;
    plans.push_back({&samples, std::move(held)});
    LoaderPlan bytes{epoch_order(90, 1, epoch), 20, {4, true}, epoch};
    bytes.delivery = Delivery::bytes;
    plans.push_back({&other_samples, std::move(bytes)});
  }
  for (const std::int64_t threads : {0, 1, 3}) {
    Loader loader(threads);
    for (std::size_t p = 0; p < plans.size(); ++p) {
      const auto& [maker, plan] = plans[p];
      Loader fresh(*maker, plan, 0);
      loader.begin(*maker, plan);
      ASSERT_EQ(loader.batches(), fresh.batches());
      // The last plans are given up after two batches.
      const std::int64_t end = p < 8 ? loader.batches() : plan.first_batch + 2;
      for (std::int64_t b = plan.first_batch; b < end; ++b) {
        const Batch batch = loader.next();
        const Batch expected = fresh.next();
        EXPECT_EQ(copy(batch), copy(expected)) << threads << " threads, plan " << p;
        EXPECT_TRUE(std::ranges::equal(batch.placements, expected.placements, same_place));
        EXPECT_TRUE(std::ranges::equal(batch.bytes.pixels, expected.bytes.pixels));
      }
    }
  }
}

TEST(Loader, KeepsItsPlanIfTheNextOneCannotBe) {
  const ImageSet images = raw_images(20);
  const SampleMaker samples(images, channel_statistics(images), 1);
  Loader loader(1);
  EXPECT_THAT(error_of([&] { loader.next(); }), HasSubstr("there is no batch 0 among 0"));
  loader.begin(samples, {{3, 4}, 1, {}, 0});
  EXPECT_THAT(error_of([&] { loader.begin(samples, {{1}, 0, {}, 0}); }), HasSubstr("batches of 0"));
  loader.next();
  EXPECT_EQ(loader.next().labels[0], images.labels[4]);
}

TEST(Loader, TellsTheErrorOfTheFirstImageThatCannotBeMadeWithItsBatch) {
  const test::TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 40);
  DataSet data = open_image_folder(folder.path(), "imagenet", 16);
  for (const std::size_t damaged : {45, 61}) {
    test::write_bytes(data.train.files.at(damaged), {1, 2, 3});
  }
  const SampleMaker samples(data.train, normalisation(data), 1);
  std::vector<std::int64_t> order(80);
  std::iota(order.begin(), order.end(), 0);
  for (const std::int64_t threads : {0, 1, 4}) {
    Loader loader(samples, {order, 40, {}, 0}, threads);
    EXPECT_EQ(loader.next().size(), 40);
    EXPECT_THAT(error_of([&] { loader.next(); }),
                HasSubstr(data.train.files.at(45).string() + ": byte 0: neither a JPEG nor a PNG"));
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Loader, EndsTheThreadsThatCouldBeStartedIfNotAllCould) {
  const ImageSet images = raw_images(64);
  const SampleMaker samples(images, channel_statistics(images), 1);
  LoaderPlan plan;
  plan.positions = {0, 1, 2};
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  // Room for some stacks, but not for a thousand.
  const rlimit small{static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE)) + (rlim_t{64} << 20),
                     before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &small), 0);
  bool failed = false;
  try {
    const Loader loader(samples, plan, 1000);
  } catch (const std::system_error&) {
    failed = true;
  }
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_TRUE(failed);
}
#endif

TEST(Loader, HasNoBatchBehindTheLast) {
  const ImageSet images = raw_images(20);
  const SampleMaker samples(images, channel_statistics(images), 1);
  Loader loader(samples, {{3, 4}, 2, {}, 0}, 1);
  EXPECT_EQ(loader.batches(), 1);
  loader.next();
  EXPECT_THAT(error_of([&] { loader.next(); }), HasSubstr("there is no batch 1 among 1"));
  Loader empty(samples, {{}, 2, {}, 0}, 1);
  EXPECT_EQ(empty.batches(), 0);
}

TEST(Loader, CountsTheSecondsItIsWaitedFor) {
  const ImageSet images = raw_images(200);
  const SampleMaker samples(images, channel_statistics(images), 1);
  Loader loader(samples, {epoch_order(200, 1, 0), 100, {4, true}, 0}, 0);
  EXPECT_EQ(loader.waited_seconds(), 0);
  loader.next();
  const double first = loader.waited_seconds();
  EXPECT_GT(first, 0);
  loader.next();
  EXPECT_GT(loader.waited_seconds(), first);
}

TEST(Loader, RejectsPlansThatCannotBe) {
  const ImageSet images = raw_images(20);
  const SampleMaker samples(images, channel_statistics(images), 1);
  EXPECT_THAT(error_of([&] { Loader(samples, {{1}, 0, {}, 0}, 1); }), HasSubstr("batches of 0"));
  EXPECT_THAT(error_of([&] {
                Loader(samples, {{1}, 1, {4, false, kUsualCropShare}, 0}, 1);
              }),
              HasSubstr("crop padding beside resized crops"));
  Loader outside(samples, {{20}, 1, {}, 0}, 1);
  EXPECT_THAT(error_of([&] { outside.next(); }), HasSubstr("there is no image 20 among 20"));
}

}  // namespace
}  // namespace gcg
