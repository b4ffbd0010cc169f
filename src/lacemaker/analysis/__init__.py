"""What a fitted potential does: errors by group, dimer curves, energy against volume, a short MD run."""

from lacemaker.analysis.body_order import BodyOrderReport, body_order_report
from lacemaker.analysis.dimers import DimerCurve, dimer_curves
from lacemaker.analysis.errors import ErrorTable, GroupErrors, error_table
from lacemaker.analysis.md import MDSummary, short_md
from lacemaker.analysis.predictions import Predictions, predict
from lacemaker.analysis.scans import VolumeScan, volume_scans
from lacemaker.analysis.tables import errors_markdown, errors_text

__all__ = [
    "BodyOrderReport",
    "DimerCurve",
    "ErrorTable",
    "GroupErrors",
    "MDSummary",
    "Predictions",
    "VolumeScan",
    "body_order_report",
    "dimer_curves",
    "error_table",
    "errors_markdown",
    "errors_text",
    "predict",
    "short_md",
    "volume_scans",
]
