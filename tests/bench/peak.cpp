// The loop that does nothing but multiply and add: compiled once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/peak.cpp"
#include "bench/peak.h"

#include <benchmark/benchmark.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gcg::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Sums that run side by side: more than latency times units of any processor at hand, few enough
/// for its registers (16 under AVX2, of which two hold the factors).
inline constexpr int kSums = 12;

/// Done: at least `count`.
std::int64_t loop(std::int64_t count) {
  const hn::ScalableTag<float> floats;
  const std::int64_t each = kSums * static_cast<std::int64_t>(hn::Lanes(floats));
  const std::int64_t turns = (count + each - 1) / each;
  const auto factor = hn::Set(floats, 0.999F);
  const auto addend = hn::Set(floats, 0.001F);
  // By name: arrays of vectors would go through memory. Every sum starts from a number of its own:
  // of equal ones the compiler would keep one.
  auto a = hn::Set(floats, 0.1F);
  auto b = hn::Set(floats, 0.2F);
  auto c = hn::Set(floats, 0.3F);
  auto d = hn::Set(floats, 0.4F);
  auto e = hn::Set(floats, 0.5F);
  auto f = hn::Set(floats, 0.6F);
  auto g = hn::Set(floats, 0.7F);
  auto h = hn::Set(floats, 0.8F);
  auto i = hn::Set(floats, 0.9F);
  auto j = hn::Set(floats, 1.0F);
  auto k = hn::Set(floats, 1.1F);
  auto l = hn::Set(floats, 1.2F);
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    a = hn::MulAdd(a, factor, addend);
    b = hn::MulAdd(b, factor, addend);
    c = hn::MulAdd(c, factor, addend);
    d = hn::MulAdd(d, factor, addend);
    e = hn::MulAdd(e, factor, addend);
    f = hn::MulAdd(f, factor, addend);
    g = hn::MulAdd(g, factor, addend);
    h = hn::MulAdd(h, factor, addend);
    i = hn::MulAdd(i, factor, addend);
    j = hn::MulAdd(j, factor, addend);
    k = hn::MulAdd(k, factor, addend);
    l = hn::MulAdd(l, factor, addend);
  }
  const auto all =
      hn::Add(hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, d)), hn::Add(hn::Add(e, f), hn::Add(g, h))),
              hn::Add(hn::Add(i, j), hn::Add(k, l)));
  benchmark::DoNotOptimize(hn::GetLane(all));
  return turns * each;
}

}  // namespace HWY_NAMESPACE
}  // namespace gcg::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace gcg::bench {

HWY_EXPORT(loop);

std::int64_t multiply_add(std::int64_t threads, std::int64_t count) {
  std::int64_t done = 0;
#pragma omp parallel for num_threads(static_cast<int>(threads)) schedule(static, 1) \
    reduction(+ : done)
  for (std::int64_t t = 0; t < threads; ++t) {
    done += HWY_DYNAMIC_DISPATCH(loop)(count);
  }
  return done;
}

}  // namespace gcg::bench

#endif
