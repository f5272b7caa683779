"""How a training went: curves over epochs, one HTML file that opens without a network."""

from collections.abc import Sequence
from pathlib import Path

from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.plotting import figure
from bokeh.resources import INLINE

from data.files import written_atomically
from lensmodel.training.plan import EpochReport

_CURVES = (
    ("loss", "Mean loss of the training images"),
    ("auroc", "Area under the ROC curve, validation images"),
    ("position_error_arcsec", "Median position error of lenses, validation images (arcsec)"),
)


def write_curves(reports: Sequence[EpochReport], path: Path) -> None:
    """Draw what each epoch reported, one plot below the other."""
    epochs = [report.epoch for report in reports]
    plots = []
    for name, label in _CURVES:
        plot = figure(title=label, width=900, height=260, x_axis_label="epoch", toolbar_location="above")
        values = [getattr(report, name) for report in reports]
        plot.line(epochs, values, line_width=2, color="#0072b2")
        plot.scatter(epochs, values, size=7, color="#0072b2")
        plots.append(plot)
    with written_atomically(path) as partial:
        partial.write_text(file_html(column(*plots), INLINE, "Training of evidence-net"), encoding="utf-8")
