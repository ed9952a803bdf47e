#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/executor.h"
#include "base/random.h"
#include "data/dataset.h"
#include "data/image.h"
#include "data/resample.h"

namespace gcg {

/// How training images are augmented. The default leaves them as in evaluation.
struct Augmentation {
  /// Zero padding on every side before a random crop, pixels (zero after normalisation: the mean).
  std::int64_t crop_padding = 0;
  bool flip = false;  ///< mirrored with probability 1/2
  /// The smallest share of the area of a random part (random_part) that is scaled to the whole, in
  /// [0, 1]; 0: no random part. Not beside crop padding.
  double resized_crop = 0;
  double colour_jitter = 0;  ///< strength of jitter_colours, in [0, 1]; 0: none

  /// Whether images are made anew, not cut from what they are.
  [[nodiscard]] bool remakes() const { return resized_crop > 0 || colour_jitter > 0; }
};

/// Training order of an epoch: a permutation of 0 .. count - 1 by the stream "order", index =
/// epoch.
std::vector<std::int64_t> epoch_order(std::int64_t count, std::uint64_t seed, std::uint64_t epoch);

/// The usual smallest share of random resized crops.
inline constexpr double kUsualCropShare = 0.08;

/// The random resized crop of Szegedy et al. 2015 as it is commonly used: a part of `least_share`
/// to all of the area (uniform), with a ratio of width to height from 3:4 to 4:3 (log-uniform), in
/// whole pixels, placed uniformly where it fits. If ten parts in a row do not fit: the largest
/// centred part of an allowed ratio.
Region random_part(std::int64_t width, std::int64_t height, double least_share,
                   RandomStream& stream);

/// The centred square with 7/8 of the shorter side: what scaling the image to 256 pixels and
/// cropping it to 224 keeps.
Region centre_part(std::int64_t width, std::int64_t height);

/// Makes samples of the images of a set, normalised or as bytes. A sample's augmentation depends on
/// (seed, epoch, position of the image in the set) alone: streams "augmentation", for raw images
/// "resized-crop", and "colour-jitter", index = stream_index(epoch, position), so that each part of
/// it leaves the others as they are. Many threads may use it at once, each with its own scratch.
class SampleMaker {
 public:
  /// Memory that is kept from one sample to the next; that of large images is not.
  struct Scratch {
    std::vector<std::byte> file;
    RgbImage image;
    ResampleScratch resample;
    std::vector<float> levels;  ///< of an image that is made anew
  };

  /// The image set must outlive the maker. Throws an Error if pixels, labels and statistics do not
  /// match.
  SampleMaker(const ImageSet& images, const ChannelStatistics& statistics, std::uint64_t seed);

  [[nodiscard]] const ImageSet& images() const { return images_; }

  /// The images as an executor may hold them; without pixels for encoded ones. Valid as long as the
  /// maker.
  [[nodiscard]] RawImages raw() const { return {pixels_, images_.shape, scale_, offset_}; }

  /// Where make() takes an image from, for an executor that holds raw(), if the augmentation does
  /// not make it anew.
  [[nodiscard]] Placement place(std::int64_t position, const Augmentation& augmentation,
                                std::uint64_t epoch) const;

  /// Throws an Error if the images cannot be augmented like this: padding outside of [0, the
  /// image's edge], padding for encoded images or beside resized crops, images made anew that are
  /// not of three colours, a strength or share outside of [0, 1].
  void check(const Augmentation& augmentation) const;

  /// Writes the image at this position to `to` [channels][height][width]. Raw images are cropped at
  /// a random offset (rows and columns independently, each of the 2 padding + 1 offsets equally
  /// likely), then mirrored. Of encoded images a part (random_part, or else centre_part) is scaled,
  /// then mirrored; raw ones may be scaled from a random_part too. Colours are changed before an
  /// image is cropped with padding or mirrored. Errors: a position outside of the set; those of
  /// decoding.
  void make(std::int64_t position, const Augmentation& augmentation, std::uint64_t epoch,
            std::span<float> to, Scratch& scratch) const;

  /// The same as bytes: writes the image to `to` and returns how it is placed (as image 0 there),
  /// which, normalised, gives what make() gives: bit for bit of raw images, of encoded ones and
  /// those made anew from the levels 0 to 255 rounded to whole numbers.
  Placement make_bytes(std::int64_t position, const Augmentation& augmentation, std::uint64_t epoch,
                       std::span<std::uint8_t> to, Scratch& scratch) const;

 private:
  void check_sample(std::int64_t position, std::size_t room) const;
  [[nodiscard]] RandomStream stream_of(std::uint64_t epoch, std::int64_t position) const;
  void make_raw(const Placement& placement, float* to) const;
  /// Whether an image is made as a whole first, in levels: encoded ones are else made row by row.
  [[nodiscard]] bool goes_by_levels(const Augmentation& augmentation) const;
  /// Leaves the levels of an image that is made anew in the scratch and returns how it is placed.
  Placement make_levels(std::int64_t position, const Augmentation& augmentation,
                        std::uint64_t epoch, Scratch& scratch) const;
  /// Levels of a raw image, or of a random part of it.
  void take_levels(std::int64_t position, const Augmentation& augmentation, std::uint64_t index,
                   Scratch& scratch) const;
  /// Decodes and scales an encoded image, calls take(y, row, mirrored) for each row as resample().
  template <typename Take>
  void make_encoded(std::int64_t image, const Augmentation& augmentation, RandomStream stream,
                    Scratch& scratch, Take take) const;

  const ImageSet& images_;
  std::span<const std::uint8_t> pixels_;  ///< of raw images
  std::vector<float> scale_;              ///< per channel: value = pixel * scale + offset
  std::vector<float> offset_;
  RandomStream stream_;
  RandomStream crop_stream_;
  RandomStream jitter_stream_;
};

}  // namespace gcg
