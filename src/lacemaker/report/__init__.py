"""One self-contained HTML page per fit: inline SVG, no library, no requests, light and dark."""

from lacemaker.report.build import build_report

__all__ = ["build_report"]
