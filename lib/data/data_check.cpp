#include "data/data_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "data/parallel.h"
#include "data/samples.h"

namespace gcg {

namespace {

/// How often each of the 256 values occurs, by channel: sums of these do not depend on an order.
using Counts = std::vector<std::array<std::int64_t, 256>>;

void count_raw(std::span<const std::uint8_t> pixels, std::size_t positions, Counts& counts) {
  for (std::size_t c = 0; c < counts.size(); ++c) {
    for (const std::uint8_t value : pixels.subspan(c * positions, positions)) {
      ++counts[c][value];
    }
  }
}

void count_image(const RgbImage& image, Counts& counts) {
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    ++counts[i % 3][image.pixels[i]];
  }
}

/// Images looked at by one thread in one go: the counts of a piece are added under a lock.
constexpr std::int64_t kPiece = 64;

SplitFacts examine_split(const ImageSet& images, std::int64_t classes, std::int64_t threads,
                         const std::function<void(std::int64_t)>& done,
                         std::vector<Digest>& digests) {
  SplitFacts facts;
  facts.class_counts.assign(static_cast<std::size_t>(classes), 0);
  for (const std::int32_t label : images.labels) {
    ++facts.class_counts.at(static_cast<std::size_t>(label));
  }
  digests.resize(images.labels.size());
  Counts counts(static_cast<std::size_t>(images.shape.channels));
  const auto elements = static_cast<std::size_t>(images.shape.elements());
  const auto positions = static_cast<std::size_t>(images.shape.positions());
  std::mutex mutex;
  for_each_parallel((images.size() + kPiece - 1) / kPiece, threads, [&](std::int64_t piece) {
    Counts own(counts.size());
    std::vector<std::byte> buffer;
    const std::int64_t end = std::min((piece + 1) * kPiece, images.size());
    for (std::int64_t i = piece * kPiece; i < end; ++i) {
      const auto index = static_cast<std::size_t>(i);
      if (images.encoded()) {
        const std::span<const std::byte> bytes = encoded_image(images, i, buffer);
        digests[index] = sha256(bytes);
        ImageDecoder decoder(bytes, image_name(images, i));
        RgbImage image;
        decoder.decode(image);
        count_image(image, own);
      } else {
        const auto pixels = images.raw_pixels().subspan(index * elements, elements);
        digests[index] = sha256(std::as_bytes(pixels));
        count_raw(pixels, positions, own);
      }
    }
    const std::lock_guard lock(mutex);
    for (std::size_t c = 0; c < counts.size(); ++c) {
      for (std::size_t value = 0; value < 256; ++value) {
        counts[c][value] += own[c][value];
      }
    }
    done(end - piece * kPiece);
  });
  facts.statistics = statistics_of_counts(counts);
  return facts;
}

}  // namespace

DataFacts examine(const DataSet& data, std::int64_t threads,
                  const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const std::int64_t all = data.train.size() + data.test.size();
  std::int64_t done = 0;
  const auto count = [&](std::int64_t images) { progress(done += images, all); };
  DataFacts facts;
  std::vector<Digest> train;
  std::vector<Digest> test;
  facts.train = examine_split(data.train, data.classes, threads, count, train);
  facts.test = examine_split(data.test, data.classes, threads, count, test);
  std::map<Digest, std::int64_t> first;
  for (std::size_t i = 0; i < train.size(); ++i) {
    facts.train.duplicates += first.emplace(train[i], i).second ? 0 : 1;
  }
  std::map<Digest, std::int64_t> first_test;
  for (std::size_t i = 0; i < test.size(); ++i) {
    facts.test.duplicates += first_test.emplace(test[i], i).second ? 0 : 1;
    if (const auto found = first.find(test[i]); found != first.end()) {
      facts.shared.emplace_back(found->second, i);
    }
  }
  return facts;
}

ExpectedFacts read_expected(const std::filesystem::path& manifest) {
  const std::vector<std::byte> content = read_file(manifest);
  const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  ExpectedFacts expected;
  try {
    const nlohmann::json json = parse_json(text, manifest.string());
    const auto labels = [&](const char* part) -> std::optional<std::vector<std::int64_t>> {
      if (!json.contains(part) || !json.at(part).contains("labels")) {
        return std::nullopt;
      }
      return json_integers(json.at(part).at("labels"), manifest.string(),
                           fmt::format("{}: labels", part));
    };
    expected.train_counts = labels("train");
    expected.test_counts = labels("test");
    if (json.contains("channels")) {
      expected.train_statistics =
          ChannelStatistics{json.at("channels").at("mean").get<std::vector<float>>(),
                            json.at("channels").at("deviation").get<std::vector<float>>()};
    }
  } catch (const nlohmann::json::exception& error) {
    throw Error(manifest.string(), error.what());
  }
  return expected;
}

std::vector<std::string> deviations(const DataFacts& facts, const ExpectedFacts& expected) {
  std::vector<std::string> found;
  const auto compare_counts = [&](std::string_view part, const std::vector<std::int64_t>& counts,
                                  const std::optional<std::vector<std::int64_t>>& wanted) {
    if (!wanted) {
      return;
    }
    if (wanted->size() != counts.size()) {
      found.push_back(
          fmt::format("{}: {} classes, manifest {}", part, counts.size(), wanted->size()));
      return;
    }
    for (std::size_t c = 0; c < counts.size(); ++c) {
      if (counts[c] != (*wanted)[c]) {
        found.push_back(fmt::format("{}: {} images of class {}, manifest {}", part, counts[c], c,
                                    (*wanted)[c]));
      }
    }
  };
  compare_counts("train", facts.train.class_counts, expected.train_counts);
  compare_counts("test", facts.test.class_counts, expected.test_counts);
  if (expected.train_statistics) {
    const auto compare = [&](std::string_view what, const std::vector<float>& is,
                             const std::vector<float>& wanted) {
      bool same = is.size() == wanted.size();
      for (std::size_t c = 0; same && c < is.size(); ++c) {
        same = std::abs(is[c] - wanted[c]) <= 0.5e-4F + 1e-6F;
      }
      if (!same) {
        found.push_back(fmt::format("train: channel {} {:.4f}, manifest {:.4f}", what,
                                    fmt::join(is, " "), fmt::join(wanted, " ")));
      }
    };
    compare("mean", facts.train.statistics.mean, expected.train_statistics->mean);
    compare("deviation", facts.train.statistics.deviation, expected.train_statistics->deviation);
  }
  return found;
}

RgbImage contact_sheet(const DataSet& data, std::int64_t rows, std::int64_t columns,
                       std::uint64_t seed) {
  constexpr std::int64_t line = 2;
  const Shape& shape = data.train.shape;
  const std::int64_t tall = shape.height + line;
  const std::int64_t wide = shape.width + line;
  RgbImage sheet{columns * wide - line, rows * tall - line, {}};
  sheet.pixels.assign(static_cast<std::size_t>(3 * sheet.width * sheet.height), 255);

  const ChannelStatistics statistics = normalisation(data);
  const SampleMaker samples(data.train, statistics, seed);
  const Augmentation augmented{data.crop_padding, data.flip,
                               data.resized_crop ? kUsualCropShare : 0};
  SampleMaker::Scratch scratch;
  std::vector<float> sample(static_cast<std::size_t>(shape.elements()));
  RandomStream stream(seed, "contact-sheet");
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto position =
        static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(data.train.size())));
    for (std::int64_t column = 0; column < columns; ++column) {
      samples.make(position, column == 0 ? Augmentation{} : augmented,
                   static_cast<std::uint64_t>(column), sample, scratch);
      for (std::int64_t p = 0; p < shape.positions(); ++p) {
        const std::int64_t y = r * tall + p / shape.width;
        const std::int64_t x = column * wide + p % shape.width;
        for (std::int64_t c = 0; c < 3; ++c) {
          const auto channel = static_cast<std::size_t>(std::min(c, shape.channels - 1));
          const float value = sample[channel * static_cast<std::size_t>(shape.positions()) +
                                     static_cast<std::size_t>(p)];
          const float pixel =
              255 * (value * statistics.deviation[channel] + statistics.mean[channel]);
          sheet.pixels[static_cast<std::size_t>(3 * (y * sheet.width + x) + c)] =
              static_cast<std::uint8_t>(std::clamp(pixel + 0.5F, 0.0F, 255.0F));
        }
      }
    }
  }
  return sheet;
}

}  // namespace gcg
