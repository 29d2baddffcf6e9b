"""What all figures are drawn on: colours, sizes, our own settings of matplotlib, and files as bytes.

The same bytes for the same input: no time stamps, no random identifiers, no settings of the user's own matplotlib.
Nothing is drawn through pyplot.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, FAINT, RULE = "#1f2933", "#6b7785", "#dfe4ea"
BLUE, ORANGE, RED = "#2f6db5", "#d9822b", "#c0392b"
LINES = ("#2f6db5", "#d9822b", "#2a9d74", "#c0499b", "#7a5cc4", "#a3870a", "#3fa7d6", "#c0392b")

WIDTH, HALF = 9.6, 4.7  # inches; the report shows figures about as wide, or two side by side

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ais-emulator",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.solid_capstyle": "round",
}
NO_SOFTWARE: Any = {"Software": None}  # keeps matplotlib's version out of a PNG
_one_at_a_time = threading.Lock()  # matplotlib's settings belong to the process


@contextmanager
def drawing() -> Iterator[None]:
    """Our settings and nobody else's, for as long as a figure is made."""
    with _one_at_a_time, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def svg(figure: Figure) -> bytes:
    """A figure as SVG that can stand in a page."""
    stream = io.BytesIO()
    # savefig would draw twice, the first time for nothing: the layout is found in the second
    canvas = FigureCanvasSVG(figure)
    canvas.print_svg(stream, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))  # type: ignore[no-untyped-call]
    text = stream.getvalue()
    return text[text.index(b"<svg") :]  # without the document type, which names an address


def png(figure: Figure, dpi: float) -> bytes:
    """A figure as PNG."""
    stream = io.BytesIO()
    figure.set_dpi(dpi)
    FigureCanvasAgg(figure).print_png(stream, metadata=NO_SOFTWARE)  # type: ignore[no-untyped-call]
    return stream.getvalue()
