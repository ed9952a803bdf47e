// What a device makes of the bytes it holds are the values that the loader makes, bit for bit.
#include "device/held_images.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "base/throws.h"
#include "data/batches.h"
#include "data/loader.h"
#include "dense/transfer.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

/// A GPU where GCG_TEST_DEVICE=cuda says so (make gpu-check).
at::Device device() {
  const char* name = std::getenv("GCG_TEST_DEVICE");
  return at::Device(name != nullptr ? name : "cpu");
}

ImageSet random_images(const Shape& shape, std::int64_t count) {
  ImageSet images;
  images.shape = shape;
  RandomStream stream(1, "images", 0);
  for (std::int64_t i = 0; i < count * shape.elements(); ++i) {
    images.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
  }
  images.labels.resize(static_cast<std::size_t>(count));
  return images;
}

ChannelStatistics statistics(std::int64_t channels) {
  return {std::vector<float>(static_cast<std::size_t>(channels), 0.47F),
          std::vector<float>(static_cast<std::size_t>(channels), 0.23F)};
}

TEST(HeldImages, GiveThePixelsOfTheLoaderBitForBit) {
  for (const Shape& shape : {Shape{3, 8, 8}, Shape{1, 5, 7}, Shape{3, 9, 4}}) {
    const ImageSet images = random_images(shape, 40);
    BatchMaker maker(images, statistics(shape.channels), 3);
    const HeldImages held = hold_images(maker.samples().raw(), device());
    std::vector<std::int64_t> order;
    for (std::int64_t i = 0; i < 40; ++i) {
      order.push_back((7 * i) % 40);
    }
    for (const std::int64_t padding : {0, 1, 4}) {
      for (const bool flip : {false, true}) {
        for (const std::uint64_t epoch : {0U, 5U}) {
          SCOPED_TRACE(fmt::format("{}x{}x{}, padding {}, flip {}, epoch {}", shape.channels,
                                   shape.height, shape.width, padding, flip, epoch));
          const Augmentation augmentation{padding, flip};
          const Batch expected = maker.augmented(order, augmentation, epoch);
          LoaderPlan plan{order, 40, augmentation, epoch};
          plan.delivery = Delivery::places;
          Loader loader(maker.samples(), plan, 1);
          const Batch placed = loader.next();
          EXPECT_TRUE(placed.images.empty());
          plan.delivery = Delivery::bytes;
          Loader sender(maker.samples(), plan, 1);
          const Batch bytes = sender.next();
          const HeldImages sent = send_images(bytes.bytes, device());
          for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
            for (const at::Tensor& made : {place_images(held, placed.placements, format),
                                           place_images(sent, bytes.placements, format)}) {
              EXPECT_TRUE(made.is_contiguous(format));
              const std::vector<float> found = plain(made);
              ASSERT_EQ(found.size(), expected.images.size());
              EXPECT_EQ(
                  std::memcmp(found.data(), expected.images.data(), expected.images.size_bytes()),
                  0);
            }
          }
        }
      }
    }
  }
}

TEST(HeldImages, ThatComeInSeveralPartsAreAllInTheirPlace) {
  ImageSet images;
  images.shape = {1, 512, 512};
  const std::int64_t of_a_part = kUploadBytes / images.shape.elements();
  const std::int64_t count = 2 * of_a_part + 3;
  for (std::int64_t i = 0; i < count; ++i) {
    images.pixels.insert(images.pixels.end(), static_cast<std::size_t>(images.shape.elements()),
                         static_cast<std::uint8_t>(i % 251));
  }
  images.labels.resize(static_cast<std::size_t>(count));
  const SampleMaker maker(images, {{0.0F}, {1.0F / 255}}, 3);  // a value is its byte
  const HeldImages held = hold_images(maker.raw(), device());
  for (const std::int64_t i : {std::int64_t{0}, of_a_part - 1, of_a_part, count - 4, count - 1}) {
    const std::vector<Placement> place{{i, 0, 0, false}};
    const at::Tensor image = place_images(held, place, at::MemoryFormat::Contiguous);
    EXPECT_TRUE(image.eq(static_cast<double>(i % 251)).all().item<bool>()) << i;
  }
}

TEST(HeldImages, RefuseWhatIsNotThere) {
  const ImageSet images = random_images({3, 8, 8}, 4);
  const SampleMaker maker(images, statistics(3), 3);
  const HeldImages held = hold_images(maker.raw(), device());
  const std::vector<Placement> behind{{4, 0, 0, false}};
  GCG_EXPECT_ERROR(place_images(held, behind, at::MemoryFormat::Contiguous),
                   HasSubstr("no image 4 among 4"));
  RawImages cut = maker.raw();
  cut.pixels = cut.pixels.first(100);
  GCG_EXPECT_ERROR(hold_images(cut, device()), HasSubstr("100 bytes are no images of 3x8x8"));
}

}  // namespace
}  // namespace gcg
