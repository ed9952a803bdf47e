#include "data/jpeg.h"

#include <fmt/format.h>
#include <jerror.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/error.h"

namespace gcg {

namespace {

/// Scans of a progressive file that are decoded: more only cost time.
constexpr int kMostScans = 500;

/// Around the region: upsampled chroma looks at its neighbours, so that the pixels inside are those
/// of a full decode.
constexpr double kMargin = 4;

/// Deviations from the standard that leave every pixel known.
bool is_harmless(int message) {
  return message == JWRN_JPEG_EOF || message == JWRN_EXTRANEOUS_DATA ||
         message == JWRN_NOT_SEQUENTIAL || message == JWRN_ADOBE_XFORM ||
         message == JWRN_JFIF_MAJOR;
}

/// Errors of the library about files that may be sound.
bool is_unsupported(int message) {
  return message == JERR_SOF_UNSUPPORTED || message == JERR_BAD_PRECISION ||
         message == JERR_ARITH_NOTIMPL || message == JERR_CONVERSION_NOTIMPL ||
         message == JERR_CCIR601_NOTIMPL || message == JERR_FRACT_SAMPLE_NOTIMPL ||
         message == JERR_NOTIMPL || message == JERR_NOT_COMPILED;
}

/// In place: cyan, magenta, yellow, black become red, green, blue. Files hold 255 - ink, whether
/// they have Adobe's marker or not. The rounding is Pillow's: white minus the share of the ink.
void convert_cmyk(std::vector<std::uint8_t>& pixels) {
  const std::size_t count = pixels.size() / 4;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* from = pixels.data() + 4 * i;
    const unsigned light = from[3];
    for (std::size_t c = 0; c < 3; ++c) {
      pixels[3 * i + c] = static_cast<std::uint8_t>(light - ((255U - from[c]) * light + 127) / 255);
    }
  }
  pixels.resize(3 * count);
}

/// Of the smallest of the scales 1, 1/2, 1/4, 1/8 at which the region has width x height pixels.
unsigned denominator_for(const Region& region, std::int64_t width, std::int64_t height) {
  unsigned denominator = 1;
  while (denominator < 8 && region.width >= static_cast<double>(2 * width * denominator) &&
         region.height >= static_cast<double>(2 * height * denominator)) {
    denominator *= 2;
  }
  return denominator;
}

}  // namespace

void ImageDecoder::Jpeg::on_error(j_common_ptr info) {
  auto* self = static_cast<Jpeg*>(info->client_data);
  info->err->format_message(info, self->message_.data());
  self->unsupported_ = is_unsupported(info->err->msg_code);
  self->out_of_memory_ = info->err->msg_code == JERR_OUT_OF_MEMORY;
  std::longjmp(self->jump_, 1);
}

void ImageDecoder::Jpeg::on_message(j_common_ptr info, int level) {
  if (level >= 0) {
    return;  // traces
  }
  if (!is_harmless(info->err->msg_code)) {
    on_error(info);
  }
  if (info->err->msg_code == JWRN_JPEG_EOF) {
    static_cast<Jpeg*>(info->client_data)->missing_end_ = true;
  }
}

void ImageDecoder::Jpeg::on_progress(j_common_ptr info) {
  auto* self = static_cast<Jpeg*>(info->client_data);
  if (self->info_.input_scan_number > kMostScans) {
    fmt::format_to_n(self->message_.data(), self->message_.size() - 1, "more than {} scans",
                     kMostScans);
    std::longjmp(self->jump_, 1);
  }
}

void ImageDecoder::Jpeg::pack_coefficients() {
  info_.mem->request_virt_barray = request_blocks;
  info_.mem->access_virt_barray = access_blocks;
}

jvirt_barray_ptr ImageDecoder::Jpeg::request_blocks(j_common_ptr info, int /*pool*/,
                                                    boolean /*zeros*/, JDIMENSION width,
                                                    JDIMENSION height, JDIMENSION /*most_rows*/) {
  auto& blocks = static_cast<Jpeg*>(info->client_data)->blocks_;
  try {
    return reinterpret_cast<jvirt_barray_ptr>(&blocks.emplace_back(width, height));
  } catch (const std::bad_alloc&) {
    info->err->msg_code = JERR_OUT_OF_MEMORY;
  }
  on_error(info);
  return nullptr;
}

JBLOCKARRAY ImageDecoder::Jpeg::access_blocks(j_common_ptr info, jvirt_barray_ptr blocks,
                                              JDIMENSION first, JDIMENSION count,
                                              boolean writable) {
  try {
    return reinterpret_cast<PackedBlocks*>(blocks)->unpack(first, count, writable != 0);
  } catch (const std::bad_alloc&) {
    info->err->msg_code = JERR_OUT_OF_MEMORY;
  }
  on_error(info);
  return nullptr;
}

void ImageDecoder::Jpeg::fail() const {
  if (out_of_memory_) {
    throw std::bad_alloc();
  }
  if (unsupported_) {
    fail_unsupported(where_, message_.data());
  }
  fail(message_.data());
}

void ImageDecoder::Jpeg::fail(const std::string& problem) const {
  const std::size_t left = info_.src != nullptr ? info_.src->bytes_in_buffer : bytes_.size();
  // At its end the library continues with an end marker of its own.
  const std::size_t at =
      missing_end_ ? bytes_.size() : bytes_.size() - std::min(bytes_.size(), left);
  throw Error(where_, fmt::format("byte {}: {}", at, problem),
              "the file is damaged: fetch it again, or leave it out");
}

ImageDecoder::Jpeg::Jpeg(std::span<const std::byte> bytes, const std::string& where)
    : bytes_(bytes), where_(where) {
  info_.err = jpeg_std_error(&errors_);
  errors_.error_exit = on_error;
  errors_.emit_message = on_message;
  progress_.progress_monitor = on_progress;
  info_.client_data = this;
  try {
    if (!read_header()) {
      fail();
    }
    if (info_.arith_code) {
      fail_unsupported(where_, "JPEG with arithmetic coding");
    }
    if (width() * height() > kMostImagePixels) {
      fail_unsupported(
          where_, fmt::format("{}x{} pixels, more than {}", width(), height(), kMostImagePixels));
    }
  } catch (...) {
    jpeg_destroy_decompress(&info_);
    throw;
  }
}

ImageDecoder::Jpeg::~Jpeg() { jpeg_destroy_decompress(&info_); }

bool ImageDecoder::Jpeg::read_header() {
  if (setjmp(jump_) != 0) {
    return false;
  }
  jpeg_create_decompress(&info_);
  info_.client_data = this;
  info_.progress = &progress_;
  jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
  jpeg_read_header(&info_, TRUE);
  if (jpeg_has_multiple_scans(&info_) != 0 && width() * height() > kLargeImagePixels) {
    pack_coefficients();
  }
  return true;
}

bool ImageDecoder::Jpeg::start(unsigned denominator) {
  if (setjmp(jump_) != 0) {
    return false;
  }
  const bool four_inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
  info_.out_color_space = four_inks ? JCS_CMYK : JCS_RGB;
  info_.scale_num = 1;
  info_.scale_denom = denominator;
  jpeg_start_decompress(&info_);
  return true;
}

/// Columns can only be cropped at whole blocks: the window becomes what is really decoded.
bool ImageDecoder::Jpeg::crop(Window& window) {
  if (setjmp(jump_) != 0) {
    return false;
  }
  jpeg_crop_scanline(&info_, &window.first_column, &window.columns);
  return true;
}

bool ImageDecoder::Jpeg::read_rows(const Window& window, RgbImage& image) {
  if (setjmp(jump_) != 0) {
    return false;
  }
  if (window.first_row > 0) {
    jpeg_skip_scanlines(&info_, window.first_row);
  }
  const std::size_t stride = static_cast<std::size_t>(info_.output_components) * window.columns;
  for (JDIMENSION row = 0; row < window.rows;) {
    JSAMPROW to = image.pixels.data() + row * stride;
    row += jpeg_read_scanlines(&info_, &to, 1);
  }
  return true;
}

void ImageDecoder::Jpeg::decode_window(Window window, RgbImage& image) {
  if (window.columns < info_.output_width && !crop(window)) {
    fail();
  }
  image.width = window.columns;
  image.height = window.rows;
  image.pixels.resize(static_cast<std::size_t>(info_.output_components) * window.columns *
                      window.rows);
  if (!read_rows(window, image)) {
    fail();
  }
  for (int c = 0; c < info_.num_components; ++c) {
    // Kept by the first scan of a component; without one its samples stay grey, and nothing says
    // so.
    if (info_.comp_info[c].quant_table == nullptr) {
      fail(fmt::format("no scan has component {}", c));
    }
  }
  if (missing_end_ && info_.progressive_mode && info_.coef_bits != nullptr) {
    // Where later scans are missing, nothing else tells a coarse image from a whole one.
    for (int c = 0; c < info_.num_components; ++c) {
      const auto& bits = info_.coef_bits[c];
      if (std::any_of(std::begin(bits), std::end(bits), [](int left) { return left != 0; })) {
        fail("the file ends before the last scan");
      }
    }
  }
  if (info_.out_color_space == JCS_CMYK) {
    convert_cmyk(image.pixels);
  }
}

void ImageDecoder::Jpeg::give_memory_back() {
  jpeg_abort_decompress(&info_);
  blocks_.clear();
}

void ImageDecoder::Jpeg::decode(RgbImage& image) {
  if (!start(1)) {
    fail();
  }
  decode_window({0, info_.output_height, 0, info_.output_width}, image);
  give_memory_back();
}

/// Whether the library's ways of decoding a part at a smaller scale give the right colours: they do
/// for grey, full chroma, chroma halved along either side or both. For other forms, rare ones, they
/// do not always.
bool ImageDecoder::Jpeg::usual_sampling() const {
  for (int c = 1; c < info_.num_components; ++c) {
    const bool like_luma = c == 3;  // the fourth ink has the resolution of the first
    const jpeg_component_info& first = info_.comp_info[0];
    const jpeg_component_info& other = info_.comp_info[c];
    if (other.h_samp_factor != (like_luma ? first.h_samp_factor : 1) ||
        other.v_samp_factor != (like_luma ? first.v_samp_factor : 1)) {
      return false;
    }
  }
  return info_.num_components == 1 ||
         (info_.comp_info[0].h_samp_factor <= 2 && info_.comp_info[0].v_samp_factor <= 2);
}

std::int64_t ImageDecoder::Jpeg::pixels_held(const Region& region, std::int64_t width,
                                             std::int64_t height) const {
  if (!usual_sampling()) {
    return this->width() * this->height();
  }
  const double scale = 1.0 / denominator_for(region, width, height);
  return std::llround(region.width * scale * region.height * scale);
}

Region ImageDecoder::Jpeg::decode(const Region& region, std::int64_t width, std::int64_t height,
                                  RgbImage& image) {
  if (!usual_sampling()) {
    decode(image);
    return region;
  }
  const unsigned denominator = denominator_for(region, width, height);
  if (!start(denominator)) {
    fail();
  }
  const double scale = 1.0 / denominator;
  Region scaled{region.x * scale, region.y * scale, region.width * scale, region.height * scale};
  const auto bound = [](double value, JDIMENSION most) {
    return static_cast<JDIMENSION>(std::clamp(value, 0.0, static_cast<double>(most)));
  };
  Window window{};
  window.first_row = bound(std::floor(scaled.y - kMargin), info_.output_height - 1);
  window.first_column = bound(std::floor(scaled.x - kMargin), info_.output_width - 1);
  window.rows =
      bound(std::ceil(scaled.y + scaled.height + kMargin), info_.output_height) - window.first_row;
  window.columns =
      bound(std::ceil(scaled.x + scaled.width + kMargin), info_.output_width) - window.first_column;
  const JDIMENSION right = window.first_column + window.columns;
  decode_window(window, image);
  give_memory_back();
  scaled.y -= window.first_row;
  // The decoded columns end where they were asked to and begin at a whole block.
  scaled.x -= static_cast<double>(right) - static_cast<double>(image.width);
  return scaled;
}

namespace {

struct Compressor {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  Compressor() {
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
  }
  ~Compressor() {
    jpeg_destroy_compress(&info);
    std::free(memory);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
};

}  // namespace

std::vector<std::byte> encode_jpeg(const RgbImage& image, int quality) {
  if (image.width < 1 || image.height < 1 || image.width > JPEG_MAX_DIMENSION ||
      image.height > JPEG_MAX_DIMENSION ||
      std::ssize(image.pixels) != 3 * image.width * image.height) {
    throw Error("encode_jpeg", fmt::format("an image of {}x{} with {} bytes", image.width,
                                           image.height, image.pixels.size()));
  }
  if (quality < 1 || quality > 100) {
    throw Error("encode_jpeg", fmt::format("a quality of {}", quality), "choose one from 1 to 100");
  }
  // Compression into memory of checked input has no error left but a full memory, which ends the
  // process as it does everywhere.
  Compressor compressor;
  jpeg_compress_struct& info = compressor.info;
  jpeg_mem_dest(&info, &compressor.memory, &compressor.size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  info.optimize_coding = TRUE;
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    // The library does not write to the rows it is given.
    auto* row = const_cast<JSAMPROW>(image.pixels.data() +
                                     std::size_t{3} * info.image_width * info.next_scanline);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  const auto* first = reinterpret_cast<const std::byte*>(compressor.memory);
  return {first, first + compressor.size};
}

}  // namespace gcg
