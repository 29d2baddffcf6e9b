"""What a campaign's samples say: figures and intervals on samples of known distributions, and the page of them."""

from __future__ import annotations

import html.parser
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaigns import campaign_file, two_weights
from rich.console import Console
from typer.testing import CliRunner

from emulator.campaign.analysis import (
    TO_DATA,
    TO_TRAINED,
    Series,
    Setting,
    axes_of,
    fall,
    ordered,
    series_of,
    settings_of,
)
from emulator.campaign.file import Campaign, CampaignError, read_campaign
from emulator.campaign.journal import Journal
from emulator.campaign.points import Point
from emulator.campaign.report import write_campaign_report
from emulator.campaign.store import Store, write_campaign
from emulator.campaign.tally import Tally
from emulator.campaign.terminal import Terminal
from emulator.campaign.work import COLUMNS, CPU, DEVICES, WORST_WINDOW, Circumstances, items_of
from emulator.cli import app
from emulator.estimate import Estimate, resampled, rms
from emulator.estimate import share_of_codes as share
from emulator.features import PIXELS
from emulator.starts import one_of_each, rows_of, starts_of

HERE = Circumstances("0.1.0", 46, True, True, True)
Make = Callable[
    [Point, np.random.Generator], Any
]  # (V,) codes of the circuit from those of the trained model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_weights(tmp_path_factory.mktemp("weights"))


def stored(
    campaign: Campaign, out: Path, shift: Callable[[Point], float], failed: frozenset[int] = frozenset(),
    anew: bool = False,
) -> Path:  # fmt: skip
    """A ``campaign.h5`` of made-up samples: normal pixels, those of the circuit shifted by codes at each point.

    ``anew``: the circuit's are drawn by themselves at each point, of the same distribution.
    """
    out.mkdir(exist_ok=True)
    items = []
    with Journal(out / "journal") as journal:
        for point in campaign.points:
            source = campaign.sources[point.source].weights
            pixels = len(source.core.visible)
            for seed in campaign.seeds:
                settings = point.settings.model_copy(update={"seed": seed})
                for item in items_of(point.number, source.sha256, settings, campaign.samples, HERE):
                    generator = np.random.default_rng((seed, item.sample))
                    trained = np.clip(np.round(generator.normal(128, 20, pixels)), 0, 255).astype(np.int64)
                    by_itself = np.random.default_rng((seed, item.sample, point.number)).normal(
                        128, 20, pixels
                    )
                    basis = np.round(by_itself).astype(np.int64) if anew else trained
                    made = np.clip(basis + round(shift(point)), 0, 255)
                    items.append(item)
                    journal.append(item.key, row(item.sample, made, trained, item.sample in failed))
        write_campaign(out / "campaign.h5", campaign, HERE, journal, items)
    return out / "campaign.h5"


def row(sample: int, made: Any, trained: Any, failed: bool) -> dict[str, Any]:
    apart = (made - trained) / 255
    columns: dict[str, Any] = {
        name: {"f": 0.01, "iu": 5, "b": True}.get(column.kinds, "") for name, column in COLUMNS.items()
    }
    columns |= {
        name: (made if column.kinds == "iu" else apart) for name, column in COLUMNS.items() if column.shape
    }
    columns |= {
        "samples/index": sample, "samples/verdict": "COMPLETED", "samples/codes_trained": trained,
        "crosscheck/trained_pixel_rms": np.sqrt(np.mean(apart**2)), "crosscheck/codes_within_1lsb": 1.0,
        WORST_WINDOW: 1e-5 * (1 + sample), CPU: 0.5, DEVICES: "compiled", "timing/simulator_cpu": 0.2,
        "timing/reference_wall": 0.25,
    }  # fmt: skip
    if failed:
        columns = {
            "samples/index": sample, "samples/verdict": "TIMESTEP_TOO_SMALL", "samples/reason": "it <b>rings</b>",
            "samples/accepted": False, CPU: 0.5,
        }  # fmt: skip
    return {name: np.asarray(value) for name, value in columns.items()}


def read(campaign: Campaign, path: Path, data: Any = None) -> list[Setting]:
    with Store(path) as store:
        return list(settings_of(store, data, PIXELS))


# --- estimates


def test_the_interval_of_an_rms_is_that_of_the_normal_approximation() -> None:
    """√(mean of squares) of normal values: standard error σ/√(2n)."""
    values = np.random.default_rng(0).normal(0, 2.0, 4000)
    found = resampled(values, rms)
    assert found.value == pytest.approx(np.sqrt(np.mean(values**2)))
    half = 1.96 * 2.0 / np.sqrt(2 * 4000)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)
    assert found.low < 2.0 < found.high


def test_intervals_hold_what_they_say() -> None:
    """Of 400 sets of 64 samples, some 95 % of the intervals hold the truth: within 4 standard errors."""
    generator = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        found = resampled(generator.normal(0, 1.0, 64), rms)
        hits += found.low <= 1.0 <= found.high
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / 400) - 0.02 <= hits / 400  # percentiles are a little short at 64


def test_a_share_of_codes_that_go_together_is_less_sure() -> None:
    """30 of 40 samples perfect and 10 all wrong say less than 40 samples of three quarters."""
    together, apart = (share(shares, 64) for shares in (np.repeat([1.0, 0.0], [30, 10]), np.full(40, 0.75)))
    assert together.value == apart.value == 0.75
    assert together.high - together.low > 5 * (apart.high - apart.low)
    alone = share(np.repeat([1.0, 0.0], [30, 10]), 1)
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high), abs=0.01)
    whole = share(np.ones(40), 64)
    assert (whole.value, whole.high) == (1.0, 1.0)
    assert 0 < 1 - whole.low < 3 / 1000


def test_samples_of_one_start_are_one_sample() -> None:
    """Through four dies that lack nothing, each sample comes four times: no figure gets any surer by that."""
    values = np.random.default_rng(2).uniform(0.2, 0.9, 32)
    alone, copies = np.arange(32), np.tile(np.arange(32), 4)
    once, again = resampled(values, rms, alone), resampled(np.tile(values, 4), rms, copies)
    assert (again.low, again.high) == pytest.approx((once.low, once.high), rel=1e-12)
    once, again = share(values, 64, alone), share(np.tile(values, 4), 64, copies)
    assert (again.low, again.high) == pytest.approx((once.low, once.high), rel=1e-12)
    assert not resampled(np.ones(28), rms, np.tile(np.arange(7), 4)).known


def test_dies_take_turns_and_missing_samples_are_made_up_for() -> None:
    starts = starts_of(np.array([5, 5, 5, 5, 5, 9, 9]), np.array([0, 1, 0, 1, 2, 0, 0]))
    assert starts.tolist() == [0, 1, 0, 1, 2, 3, 3]
    assert rows_of(starts).tolist() == [[0, 2], [1, 3], [4, 4], [5, 6]]
    assert one_of_each(starts).tolist() == [0, 3, 4, 6]


def test_few_samples_have_no_interval() -> None:
    assert not resampled(np.ones(7), rms).known
    assert not share(np.ones(7), 64).known
    assert resampled(np.ones(8), rms).known


# --- settings


def test_seeds_and_dies_are_samples_of_one_setting(folder: Path, tmp_path: Path) -> None:
    path = campaign_file(
        folder, "[grid]\ndetuning = [0.0, 0.01]\nchip = [1, 2, 3]\n", samples=5, seeds="[0, 9]"
    )
    campaign = read_campaign(path)
    settings = read(campaign, stored(campaign, tmp_path, lambda _: 0.0))
    assert [(s.label, s.at, s.samples) for s in settings] == [
        (label, {"detuning": value}, 30) for label in "ab" for value in (0.0, 0.01)
    ]
    assert axes_of(settings) == {"detuning": (0.0, 0.01)}


def test_a_shift_is_the_distance_and_nothing_where_there_is_none(folder: Path, tmp_path: Path) -> None:
    """Energy distance of a shift by δ, √(2 E|X−Y| − 2 E|X−X'|)."""
    path = campaign_file(folder, "[grid]\ndetuning = [0.0, 0.01]\n", samples=200, weights='["b.h5"]')
    campaign = read_campaign(path)
    same, far = read(
        campaign,
        stored(campaign, tmp_path, lambda point: 0 if point.settings.non_idealities.detuning == 0 else 60),
    )
    assert same.figures[TO_TRAINED] == Estimate(0.0, 0.0, 0.0)
    assert same.figures["trained_pixel"].value == 0
    # 4 pixels: E|X − X'| of a normal of sigma 20/255 a pixel is 2 sigma Γ(5/2)/Γ(2)
    spread = 2 * (20 / 255) * 1.3293404
    delta = 2 * 60 / 255  # over 4 pixels
    between = np.sqrt(delta**2 + 2 * 4 * (20 / 255) ** 2)  # roughly: the mean distance of shifted samples
    found = far.figures[TO_TRAINED]
    assert found.value == pytest.approx(np.sqrt(2 * between - 2 * spread), rel=0.03)
    assert found.low < found.value < found.high
    assert far.figures["trained_pixel"].value == pytest.approx(60 / 255)


def test_dies_that_make_other_samples_of_one_distribution_are_no_distance(
    folder: Path, tmp_path: Path
) -> None:
    """The trained model makes one sample of a start whatever the die; copies of it would pass for a distance."""
    path = campaign_file(
        folder,
        "[grid]\nchip = [1, 2, 3, 4, 5, 6]\n[settings]\ndetuning = 0.01\n",
        samples=40,
        weights='["b.h5"]',
    )
    campaign = read_campaign(path)
    (setting,) = read(campaign, stored(campaign, tmp_path, lambda _: 0.0, anew=True))
    assert (setting.samples, setting.starts) == (240, 40)
    assert setting.figures[TO_TRAINED].low == 0


def test_recall_sees_what_is_never_made(folder: Path, tmp_path: Path) -> None:
    """Data of two kinds, of which one is made: recall is half, precision whole."""
    campaign = read_campaign(campaign_file(folder, "", samples=100, weights='["b.h5"]'))
    path = stored(campaign, tmp_path, lambda _: 0.0)
    data = np.clip(np.random.default_rng(7).normal(128, 20, (300, 4)) / 255, 0, 1)
    data[150:] *= 0.2
    (setting,) = read(campaign, path, data)
    assert setting.figures["data_precision"].value > 0.8
    recall = setting.figures["data_recall"]
    assert 0.4 < recall.low < recall.value <= 0.5 < recall.high < 0.65
    assert "trained_recall" not in setting.figures
    (setting,) = read(campaign, path)
    assert setting.figures["trained_recall"].known
    assert "data_recall" not in setting.figures


def test_failed_samples_are_counted_and_left_out_of_figures(folder: Path, tmp_path: Path) -> None:
    campaign = read_campaign(campaign_file(folder, "", samples=20, weights='["b.h5"]'))
    (setting,) = read(campaign, stored(campaign, tmp_path, lambda _: 10.0, frozenset({0, 3, 4})))
    assert (setting.samples, setting.completed) == (20, 17)
    assert setting.reasons == {"TIMESTEP_TOO_SMALL: it <b>rings</b>": 3}
    assert setting.figures["trained_pixel"].value == pytest.approx(10 / 255)
    assert (setting.codes[0] == -1).all()
    nothing = stored(campaign, tmp_path / "none", lambda _: 0.0, frozenset(range(20)))
    (setting,) = read(campaign, nothing)
    assert (setting.completed, setting.figures) == (0, {})


def test_data_are_compared_with_where_there_are_any(folder: Path, tmp_path: Path) -> None:
    campaign = read_campaign(campaign_file(folder, "", samples=100, weights='["b.h5"]'))
    path = stored(campaign, tmp_path, lambda _: 0.0)
    like = np.clip(np.random.default_rng(7).normal(128, 20, (300, 4)) / 255, 0, 1)
    (setting,) = read(campaign, path, like)
    assert setting.figures[TO_DATA].low == 0
    (setting,) = read(campaign, path, 1 - 0.5 * like)
    assert setting.figures[TO_DATA].low > 0.1


# --- where quality falls


def made_up(
    values: list[Any], estimates: list[tuple[float, float, float]], figure: str = TO_TRAINED
) -> Series:
    settings = tuple(
        Setting("w", (("bits", value),), 9, 9, 9, {figure: Estimate(*estimate)}, (1, 1), 255,
                *[np.zeros((0, 1), int)] * 2, np.zeros(0, int), 1.0, 1.0, 1.0, {})
        for value, estimate in zip(values, estimates, strict=True)
    )  # fmt: skip
    return Series("bits", "w", (), settings)


GOOD, MIDDLING, BAD = (0.1, 0.05, 0.15), (0.18, 0.12, 0.24), (0.4, 0.3, 0.5)
UNKNOWN = (0.1, np.nan, np.nan)


@pytest.mark.parametrize(
    ("estimates", "ideal", "first"),
    [
        ([BAD, BAD, MIDDLING, GOOD], 8, 3),
        ([BAD, MIDDLING, GOOD, GOOD], 8, 2),
        ([MIDDLING, GOOD, MIDDLING, GOOD], 8, None),
        ([GOOD, BAD, BAD, BAD], 2, 3),  # the other end is the ideal one
        ([BAD, UNKNOWN, GOOD, GOOD], 8, 2),
    ],
)
def test_the_first_value_from_the_ideal_end_on_that_is_clear_of_it(
    estimates: Any, ideal: int, first: int | None
) -> None:
    found = fall(made_up([2, 3, 4, 8], estimates), TO_TRAINED)
    assert found is not None
    assert found.ideal.at["bits"] == ideal
    assert (None if found.first is None else found.first.at["bits"]) == first


def test_of_shares_less_is_worse() -> None:
    found = fall(made_up([2, 4, 8], [(0.5, 0.4, 0.6), (0.95, 0.9, 0.99), (1.0, 0.96, 1.0)], "codes"), "codes")
    assert found is not None
    assert found.first is not None
    assert found.first.at["bits"] == 2


def test_without_intervals_nothing_is_said() -> None:
    assert fall(made_up([2, 4], [UNKNOWN, GOOD]), TO_TRAINED) is None
    assert fall(made_up([2, 4], [BAD, GOOD]), TO_DATA) is None


def test_values_are_ordered_as_numbers_with_none_where_it_was() -> None:
    assert ordered([4, 2, 8]) == (2, 4, 8)
    assert ordered([None, 8, 4]) == (4, 8, None)
    assert ordered([2, 4, None]) == (2, 4, None)
    assert ordered([None, 2, 4]) == (None, 2, 4)
    assert ordered(["slow", "fast"]) == ("slow", "fast")
    assert ordered([True, False]) == (True, False)


def test_series_differ_on_one_axis_alone(folder: Path, tmp_path: Path) -> None:
    path = campaign_file(folder, "[grid]\nbits = [8, 4]\nnoise = [0.0, 0.1, 0.2]\n", samples=1)
    campaign = read_campaign(path)
    settings = read(campaign, stored(campaign, tmp_path, lambda _: 0.0))
    axes = axes_of(settings)
    along = series_of(settings, "noise", axes["noise"])
    assert [(each.label, each.others) for each in along] == [
        (label, (("bits", bits),)) for label in "ab" for bits in (8, 4)
    ]
    assert all([s.at["noise"] for s in each.settings] == [0.0, 0.1, 0.2] for each in along)
    assert len(series_of(settings, "bits", axes["bits"])) == 6


# --- the page


class Page(html.parser.HTMLParser):
    """Counts what is open and what is drawn, and fails on what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        elif tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def swept(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bits × noise × two weights; quality falls at 2 bits of both."""
    out = tmp_path_factory.mktemp("swept")
    more = '[grid]\nbits = ["none", 4, 2]\nnoise = [0.0, 0.1]\n'
    campaign = read_campaign(campaign_file(folder, more, samples=20, title='"made <up>"'))
    stored(campaign, out, lambda point: 60.0 if point.values["bits"] == 2 else 0.0, frozenset({19}))
    write_campaign_report(campaign, out / "campaign.h5", out / "report.html", out / "figures")
    return out


def test_the_page_says_where_quality_falls(swept: Path) -> None:
    page = Page((swept / "report.html").read_text())
    assert (
        "Along bits, quality first falls at 2. Along noise, quality falls nowhere that 19 samples can tell."
        in page.text
    )
    assert "SOME SAMPLES WERE NOT SIMULATED TO THE END" in page.text
    assert "12 samples, such as of a, bits none, noise 0" in page.text
    assert "TIMESTEP_TOO_SMALL: it <b>rings</b>" in page.text, "as text, not as markup"
    assert "made <up>" in page.text
    assert 'bits = ["none", 4, 2]' in page.text
    # 19 of 20 samples have 0.2 and 0.25 s of the 0.5 s that each took
    assert re.search(r"ngspice took 38.%, the reference 47\.5.%, all else 14\.5.%", page.text)


def test_the_page_needs_nothing_else_and_its_figures_are_files_too(swept: Path) -> None:
    page = Page((swept / "report.html").read_text())
    files = sorted(path.name for path in (swept / "figures").iterdir())
    assert files == [
        "along-bits-fidelity-0.svg", "along-bits-quality-0.svg", "along-noise-fidelity-0.svg",
        "along-noise-quality-0.svg", "map-bits-noise-to_trained.svg", "samples-0.png", "samples-1.png",
    ]  # fmt: skip
    assert len(page.images) == len(files)
    assert all(image.startswith("data:image/") for image in page.images)
    assert "http" not in (swept / "report.html").read_text().replace("http-equiv", "")


def test_the_same_samples_give_the_same_files(folder: Path, swept: Path, tmp_path: Path) -> None:
    more = '[grid]\nbits = ["none", 4, 2]\nnoise = [0.0, 0.1]\n'
    campaign = read_campaign(campaign_file(folder, more, samples=20, title='"made <up>"'))
    write_campaign_report(campaign, swept / "campaign.h5", tmp_path / "report.html", tmp_path / "figures")
    assert (tmp_path / "report.html").read_bytes() == (swept / "report.html").read_bytes()
    for path in (tmp_path / "figures").iterdir():
        assert path.read_bytes() == (swept / "figures" / path.name).read_bytes()


@pytest.mark.parametrize("more", [
    "", "[grid]\nbits = [4]\n",
    '[grid]\nquantizer = ["signed", "offset"]\nbits = [3]\n', "[[list]]\n[[list]]\nbits = 3\n",
    "[grid]\nbits = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\nnoise = [0.0, 0.1]\nadc_bits = [4, 8]\n",
])  # fmt: skip
@pytest.mark.parametrize("samples", [1, 9])
def test_every_kind_of_campaign_has_a_page(folder: Path, tmp_path: Path, more: str, samples: int) -> None:
    campaign = read_campaign(campaign_file(folder, more, samples=samples))
    path = stored(campaign, tmp_path, lambda _: 3.0)
    write_campaign_report(campaign, path, tmp_path / "report.html", tmp_path / "figures")
    page = Page((tmp_path / "report.html").read_text())
    assert len(list((tmp_path / "figures").iterdir())) == len(page.images)
    assert ("Some settings have too few samples for intervals" in page.text) == (samples == 1)


def test_an_unfinished_campaign_has_a_page(folder: Path, tmp_path: Path) -> None:
    small = read_campaign(campaign_file(folder, "", samples=2))
    path = stored(small, tmp_path, lambda _: 0.0)
    asked = read_campaign(campaign_file(folder, "", samples=5))
    write_campaign_report(asked, path, tmp_path / "report.html", tmp_path / "figures")
    assert (
        "4 of 10 samples are here; --resume adds the others."
        in Page((tmp_path / "report.html").read_text()).text
    )


def test_data_are_read_and_checked(folder: Path, tmp_path: Path) -> None:
    np.savez(folder / "data.npz", images=np.random.default_rng(0).random((30, 8)))
    campaign = read_campaign(
        campaign_file(folder, "[grid]\nbits = [4, 8]\n", samples=9, data='"data.npz"', weights='["a.h5"]')
    )
    assert campaign.data is not None
    path = stored(campaign, tmp_path, lambda _: 0.0)
    write_campaign_report(campaign, path, tmp_path / "report.html", tmp_path / "figures")
    text = Page((tmp_path / "report.html").read_text()).text
    assert "distance to the data" in text
    assert "data.npz" in text
    for keys, said in [
        ({"data": '"data.npz"'}, "data: has 8 pixels an image; the weights b have 4"),
        ({"data": '"no.npz"'}, "no.npz: not readable as images"),
        ({"data_range": "[0.0, 1.0]"}, "data_range: says what black and white are in data, which is missing"),
        ({"features": '"pixel"'}, "features: no features 'pixel'"),
    ]:
        with pytest.raises(CampaignError) as caught:
            read_campaign(campaign_file(folder, "", **keys))
        assert any(said in problem for problem in caught.value.problems)


def test_inspect_shows_a_campaign_and_its_folder(swept: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["inspect", str(swept / "campaign.h5")])
    assert shown.exit_code == 0, shown.output
    assert "made <up>" in shown.output
    assert "COMPLETED 19, TIMESTEP_TOO_SMALL 1" in shown.output
    (tmp_path / "campaign.json").write_text("{}")
    shown = CliRunner().invoke(app, ["inspect", str(tmp_path)])
    assert shown.exit_code == 2
    assert "a campaign without a finished sample" in shown.output


def test_with_data_the_headline_is_by_both_distances(folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", images=np.random.default_rng(5).uniform(0.3, 0.7, (50, 2, 2)))
    more = '[grid]\nbits = ["none", 2]\n'
    keys = {"samples": 20, "weights": '["b.h5"]', "data": f'"{tmp_path / "data.npz"}"'}
    campaign = read_campaign(campaign_file(folder, more, **keys))
    path = stored(campaign, tmp_path, lambda point: 60.0 if point.values["bits"] == 2 else 0.0)
    found = write_campaign_report(campaign, path, tmp_path / "report.html", tmp_path / "figures")
    assert "quality first falls at 2, by the distance to the data." in found
    assert "quality first falls at 2, by the distance to the trained model." in found


def test_a_narrow_table_cuts_names_and_no_numbers(folder: Path) -> None:
    more = '[grid]\nmismatch_coupling = ["1%", "5%"]\nchip = [1, 2]\n'
    weights = '[{file = "b.h5", label = "a name that is too long"}]'
    campaign = read_campaign(campaign_file(folder, more, samples=1000, weights=weights))
    written = io.StringIO()
    console = Console(width=70, file=written)
    terminal = Terminal(console)
    tallies = [Tally(0, 1000, done=1000, cpu_s=123.0, worst=1.23e-4) for _ in campaign.points]
    terminal.planned(campaign, tallies, HERE, "here")
    console.print(terminal.table(10))
    found = [line.split() for line in written.getvalue().splitlines() if "1000/1000" in line]
    assert [line[-7:-4] for line in found] == [
        [value, chip, "1000/1000"] for value in ("1%", "5%") for chip in "12"
    ]
    assert all((line[-4], line[-1]) == ("1.2e-4", "0.12") for line in found)
