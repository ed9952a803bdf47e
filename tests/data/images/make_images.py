#!/usr/bin/env python3
"""Writes the small PNG and JPEG files of this folder and expected.txt, their pixels as Pillow gives them.

    make_images.py        # needs Pillow (python3-pil); the tests only read what is committed

expected.txt has a line for each file: name, width, height, then red, green and blue of every pixel. They are those of
Pillow's convert("RGB"), with two rules of this project where Pillow's versions differ or lose something: samples of 16
bits are cut to their upper 8, and transparent pixels are laid over white, (colour x alpha + 255 x (255 - alpha)) / 255
rounded.
"""

import struct
import zlib
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def packed_row(samples, bits):
    if bits == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    row, value, filled = bytearray(), 0, 0
    for sample in samples:
        value, filled = value << bits | sample, filled + bits
        if filled == 8:
            row.append(value)
            value, filled = 0, 0
    if filled:
        row.append(value << (8 - filled))
    return bytes(row)


def png(name, kind, bits, width, samples, chunks=(), interlaced=False):
    """`samples`: all rows one behind the other, channels innermost; `chunks` stand before the image data."""
    across = width * CHANNELS[kind]
    height = len(samples) // across
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    data = b""
    for x0, y0, dx, dy in passes:
        for y in range(y0, height, dy):
            row = []
            for x in range(x0, width, dx):
                first = y * across + x * CHANNELS[kind]
                row += samples[first : first + CHANNELS[kind]]
            if row:
                data += b"\0" + packed_row(row, bits)
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, int(interlaced))
    content = chunk(b"IHDR", header) + b"".join(chunk(k, c) for k, c in chunks) + chunk(b"IDAT", zlib.compress(data))
    (HERE / name).write_bytes(b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b""))


def write_pngs():
    half = [0x8000, 0x80FF, 0x7FFF, 0x00FF, 0xFF00, 0xFFFF]
    png("grey16_half.png", GREY, 16, 3, [0x8000] * 9)
    png("grey8_half.png", GREY, 8, 3, [0x80] * 9)
    png("grey16.png", GREY, 16, 3, half)
    png("rgb16.png", RGB, 16, 2, half)
    png("rgb16_gamma.png", RGB, 16, 2, half, [(b"gAMA", struct.pack(">I", 100000))])
    colours = [10, 128, 250, 128, 128, 128, 0, 255, 77, 200, 100, 50]
    png("rgb.png", RGB, 8, 2, colours)
    gamma = (b"gAMA", struct.pack(">I", 100000))
    primaries = (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))
    png("rgb_gamma.png", RGB, 8, 2, colours, [gamma, primaries])
    png("rgb_srgb.png", RGB, 8, 2, colours, [(b"sRGB", b"\0")])
    png("rgb_sbit.png", RGB, 8, 2, colours, [(b"sBIT", b"\5\6\5")])
    png("rgb_background.png", RGB, 8, 2, colours, [(b"bKGD", struct.pack(">3H", 255, 0, 0))])
    png("grey_gamma.png", GREY, 8, 2, [0, 64, 128, 255], [gamma])
    for bits in (1, 2, 4):
        png(f"grey{bits}.png", GREY, bits, 5, [(3 * i) % (1 << bits) for i in range(15)])
    palette = bytes([255, 0, 0, 0, 128, 0, 9, 8, 7, 128, 128, 128])
    png("palette.png", PALETTE, 8, 2, [0, 1, 2, 3], [(b"PLTE", palette)])
    png("palette2_gamma.png", PALETTE, 2, 3, [0, 1, 2, 3, 2, 1], [gamma, (b"PLTE", palette)])
    png("palette_alpha.png", PALETTE, 8, 2, [0, 1, 2, 3], [(b"PLTE", palette), (b"tRNS", bytes([0, 100, 255]))])
    png("rgb_key.png", RGB, 8, 2, colours, [(b"tRNS", struct.pack(">3H", 128, 128, 128))])
    alpha = [10, 128, 250, 0, 10, 128, 250, 1, 10, 128, 250, 128, 10, 128, 250, 255]
    png("rgb_alpha.png", RGB_ALPHA, 8, 2, alpha)
    png("rgb_alpha_gamma.png", RGB_ALPHA, 8, 2, alpha, [gamma])
    png("rgb16_alpha.png", RGB_ALPHA, 16, 2, [257 * s for s in alpha])
    png("grey_alpha.png", GREY_ALPHA, 8, 2, [0, 0, 100, 50, 200, 254, 60, 255])
    png("grey16_alpha.png", GREY_ALPHA, 16, 2, [0x1234, 0x80FF, 0x80FF, 0xFFFF, 0xFF00, 0x00FF, 0x7FFF, 0x8000])
    png("rgb_interlaced.png", RGB, 8, 9, [(7 * i) % 256 for i in range(3 * 9 * 9)], interlaced=True)


def without_adobe(content):
    at = content.index(b"\xff\xee\x00\x0eAdobe")
    return content[:at] + content[at + 16 :]


def write_jpegs():
    ramp = Image.new("RGB", (19, 13))
    ramp.putdata([(13 * x, 19 * y, 255 - 6 * x - 7 * y) for y in range(13) for x in range(19)])
    ramp.save(HERE / "colour.jpg", quality=90)
    ramp.save(HERE / "colour_444.jpg", quality=90, subsampling=0)
    ramp.save(HERE / "colour_progressive.jpg", quality=90, progressive=True)
    ramp.convert("L").save(HERE / "grey.jpg", quality=90)
    ink = Image.new("CMYK", (19, 13))
    ink.putdata([(13 * x, 19 * y, 255 - 6 * x - 7 * y, 5 * (x + y)) for y in range(13) for x in range(19)])
    ink.save(HERE / "cmyk_adobe.jpg", quality=90)
    content = (HERE / "cmyk_adobe.jpg").read_bytes()
    (HERE / "cmyk_unmarked.jpg").write_bytes(without_adobe(content))


def png_samples_of_16_bits(content):
    """The image with the lower byte of every sample left out: what cutting to 8 bits means."""
    width, height, _, kind = struct.unpack(">IIBB", content[16:26])
    at = content.index(b"IDAT")
    size = struct.unpack(">I", content[at - 4 : at])[0]
    rows = zlib.decompress(content[at + 4 : at + 4 + size])
    stride = 1 + 2 * width * CHANNELS[kind]
    upper = b"".join(rows[y * stride + 1 : (y + 1) * stride : 2] for y in range(height))
    return Image.frombytes({GREY: "L", RGB: "RGB", GREY_ALPHA: "LA", RGB_ALPHA: "RGBA"}[kind], (width, height), upper)


def expected_pixels(path):
    content = path.read_bytes()
    image = Image.open(path)
    if content.startswith(b"\x89PNG") and content[24] == 16:
        image = png_samples_of_16_bits(content)
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        return image.size, [
            (colour * a + 255 * (255 - a) + 127) // 255
            for *colours, a in image.convert("RGBA").getdata()
            for colour in colours
        ]
    return image.size, [value for pixel in image.convert("RGB").getdata() for value in pixel]


def main():
    write_pngs()
    write_jpegs()
    with open(HERE / "expected.txt", "w", encoding="ascii") as file:
        for path in sorted([*HERE.glob("*.png"), *HERE.glob("*.jpg")]):
            (width, height), values = expected_pixels(path)
            print(path.name, width, height, *values, file=file)


if __name__ == "__main__":
    main()
