#pragma once

#include "data/procedural.h"

namespace gcg {

/// Procedural images labelled by a random sparse network: a task for which we know how many
/// connections suffice (for a network of the teacher's architecture).
///
/// The teacher: pixels (value - 127.5) / 64, averaged 2x2; convolution 3x3 to 16 units, ReLU,
/// average 2x2; convolution 3x3 to 16 units, ReLU; mean over the positions; a dense readout to ten
/// classes. Both convolutions (zero padding, no bias) keep a share `density` of their connections,
/// rounded: at least one per unit, the others uniformly at random. Weights are uniform in +-sqrt(3
/// / connections of the unit), so that units have the same variance at every density. The label is
/// the class with the largest readout, after each readout was brought to mean 0 and deviation 1
/// over the training images: classes are roughly equally frequent.
///
/// As for the procedural images, only + - * / and square roots are used: the same options give the
/// same bytes on every processor.
struct TeacherOptions {
  ProceduralOptions images;
  double density = 0.2;
  /// Seed of the teacher: stream "teacher", index = layer.
  std::uint64_t seed = 1;
};

/// Lowest density: below it, a unit of the first convolution (27 connections) could have none.
inline constexpr double kSparsestTeacher = 0.04;

/// Makes the set. It has no augmentation, since mirrored or shifted images have other labels.
/// Errors: those of make_procedural; a density outside of [kSparsestTeacher, 1]; images for which
/// the teacher's readout is constant.
DataSet make_teacher(const TeacherOptions& options);

}  // namespace gcg
