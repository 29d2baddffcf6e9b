"""Samples as pixels: grey images, differences in colour, and the contact sheet of a run."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.image
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from emulator.canvas import FAINT, INK, NO_SOFTWARE, RED, drawing
from netlists.core import Index

Pixels = npt.NDArray[np.uint8]

NO_CODE = (226, 230, 235)  # grey of a pixel that has no code
TILE, STRIP = 120, 1024  # pixels: longer side of an image in the contact sheet, length of a strip
PER_BAND = 8


def as_images(codes: Index, shape: tuple[int, int] | None) -> Index:
    """Codes (S, V) as images (S, rows, columns); without an image shape as strips (S, 1, V)."""
    return codes.reshape(len(codes), *(shape or (1, codes.shape[1])))


def is_strip(shape: tuple[int, int]) -> bool:
    """Whether images of this many rows and columns are better shown one below the other."""
    return shape[1] > 6 * shape[0]


def grey(codes: Index, top: int) -> Pixels:
    """RGB (..., 3) of codes (...): 0 is black, ``top`` is white, negative ones (no code) a flat grey."""
    level = np.round(255 * np.clip(codes, 0, top) / top).astype(np.uint8)
    return np.where((codes < 0)[..., None], np.array(NO_CODE, dtype=np.uint8), level[..., None])


def diverging(difference: Index, span: int, missing: npt.NDArray[np.bool_] | None = None) -> Pixels:
    """RGB (..., 3) of code differences (...) in LSB: blue below 0, near white at 0, red above.

    The scale is logarithmic, sign(d) log(1 + |d|) / log(1 + ``span``), so that one LSB is seen beside many.
    """
    position = np.sign(difference) * np.log1p(np.abs(difference)) / math.log1p(span)
    colour = np.asarray(mpl.colormaps["RdBu_r"](0.5 + 0.5 * np.clip(position, -1, 1), bytes=True))[..., :3]
    if missing is not None:
        colour = np.where(missing[..., None], np.array(NO_CODE, dtype=np.uint8), colour)
    return np.asarray(colour, dtype=np.uint8)


def difference_pixels(circuit: Index, reference: Index, span: int) -> Pixels:
    """``diverging`` of circuit − reference (..., both codes); flat grey where either has no code."""
    return diverging(circuit - reference, span, (circuit < 0) | (reference < 0))


def ticks_of(span: int) -> list[int]:
    """Differences to name on the scale of ``diverging``: 0 and up to five of each sign."""
    above = sorted({round(span ** (k / 4)) for k in range(5)})
    return [-d for d in reversed(above)] + [0] + above


def swatches(span: int) -> list[tuple[str, str, bool]]:
    """The scale of ``diverging`` as (difference, CSS colour, whether it is dark)."""
    scale = ticks_of(span)
    return [
        (signed(value), f"rgb({red}, {green}, {blue})", red + green + blue < 450)
        for value, (red, green, blue) in zip(scale, diverging(np.array(scale), span).tolist(), strict=True)
    ]


def tile(pixels: Pixels) -> bytes:
    """A PNG of RGB pixels (rows, columns, 3), one to one."""
    stream = io.BytesIO()
    matplotlib.image.imsave(stream, pixels, format="png", origin="upper", metadata=NO_SOFTWARE)
    return stream.getvalue()


def contact_sheet(
    circuit: Index, reference: Index, numbers: Sequence[int], passed: Sequence[bool], top: int, span: int
) -> bytes:
    """PNG of samples: circuit above reference above difference, a column a sample, magnified without blur.

    Args:
        circuit, reference: (S, rows, columns) codes, −1 where there is none.
        numbers: sample numbers.
        passed: whether each sample passed.
        top: largest code, which is white.
        span: range of the difference, in LSB.
    """
    rows, columns = circuit.shape[1:]
    strip = is_strip((rows, columns))
    zoom = max(1, STRIP // columns) if strip else max(1, TILE // max(rows, columns))
    zoom_y, zoom_x = max(zoom, -(-8 // rows)), max(zoom, -(-8 // columns))
    if strip:
        zoom_y = max(1, 16 // rows)
    high, wide = rows * zoom_y, columns * zoom_x
    per_band = 1 if strip else min(PER_BAND, len(numbers))
    gap, left, head, margin = (3 if strip else 8), 104, 30, 24
    column, band = wide + 12, head + 3 * high + 2 * gap + (10 if strip else 20)
    bands = -(-len(numbers) // per_band)
    names = ticks_of(span)
    swatch = 8 + 7 * len(str(names[0]))
    width = max(left + per_band * column - 12 + margin, left + 358 + len(names) * swatch + margin)
    height = margin // 2 + bands * band + 62

    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    words: list[tuple[float, float, str, Mapping[str, Any]]] = []
    three = (grey(circuit, top), grey(reference, top), difference_pixels(circuit, reference, span))
    for k, number in enumerate(numbers):
        x, y = left + (k % per_band) * column, margin // 2 + (k // per_band) * band + head
        look = {"color": INK} if passed[k] else {"color": RED, "weight": "bold"}
        said = f"{number}" if passed[k] else f"{number}: FAIL"
        words.append((x + wide / 2, y - 8, said, {**look, "ha": "center", "va": "bottom", "size": 9.5}))
        for row, (name, pixels) in enumerate(zip(("circuit", "reference", "difference"), three, strict=True)):
            corner = y + row * (high + gap)
            frame = canvas[corner - 1 : corner + high + 1, x - 1 : x + wide + 1]
            frame[:] = 200
            frame[1:-1, 1:-1] = pixels[k].repeat(zoom_y, axis=0).repeat(zoom_x, axis=1)
            if k % per_band == 0:
                where = {"ha": "right", "va": "center", "size": 9.5}
                words.append((left - 14, corner + high / 2, name, where))

    foot = height - 36
    spectrum = grey(np.arange(0, 160), 159)
    canvas[foot : foot + 14, left : left + 160] = spectrum
    small: Mapping[str, Any] = {"va": "center", "size": 8.5, "color": FAINT}
    words += [
        (left - 14, foot + 7, "code", {**small, "ha": "right"}),
        (left, foot + 22, "0", {**small, "ha": "left"}),
        (left + 160, foot + 22, f"{top}", {**small, "ha": "right"}),
        (left + 344, foot + 7, "difference (LSB)", {**small, "ha": "right"}),
    ]
    for k, value in enumerate(names):
        at = left + 358 + k * swatch
        canvas[foot : foot + 14, at : at + swatch] = diverging(np.array(value), span)
        words.append((at + swatch / 2, foot + 22, signed(value), {**small, "ha": "center", "size": 7.5}))

    _write_on(canvas, words)
    return tile(canvas)


def _write_on(canvas: Pixels, words: Sequence[tuple[float, float, str, Mapping[str, Any]]]) -> None:
    """Puts (x, y, text, manner) on RGB pixels; matplotlib draws the words alone, as it would resample the pixels."""
    height, width = canvas.shape[:2]
    with drawing():
        # a hundredth of a pixel more, as sizes are cut off to whole ones
        figure = Figure(figsize=((width + 0.01) / 100, (height + 0.01) / 100), dpi=100, facecolor="none")
        for x, y, text, manner in words:
            figure.text(x / width, 1 - y / height, text, parse_math=False, **manner)
        drawn = FigureCanvasAgg(figure)
        drawn.draw()  # type: ignore[no-untyped-call]
    ink = np.asarray(drawn.buffer_rgba())  # type: ignore[no-untyped-call]
    there = ink[..., 3] > 0
    opacity = ink[there, 3:] / 255
    canvas[there] = np.rint(canvas[there] * (1 - opacity) + ink[there, :3] * opacity)


def signed(value: int) -> str:
    """A number with its sign, and a minus that is one."""
    return f"{value:+d}".replace("-", "−") if value else "0"
