"""``.yace`` files (ACE C-tilde basis of ML-PACE): export of linear potentials, evaluation of any."""

from lacemaker.deploy.yace.calculator import YaceCalculator
from lacemaker.deploy.yace.evaluator import YaceEvaluator
from lacemaker.deploy.yace.export import ExportReport, export_yace, to_yace
from lacemaker.deploy.yace.fitting import check_exportable
from lacemaker.deploy.yace.model import Bond, Embedding, Terms, YaceModel
from lacemaker.deploy.yace.reading import parse_yace, read_yace
from lacemaker.deploy.yace.writing import MAX_MEGABYTES, write_yace, yace_text

__all__ = [
    "MAX_MEGABYTES",
    "Bond",
    "Embedding",
    "ExportReport",
    "Terms",
    "YaceCalculator",
    "YaceEvaluator",
    "YaceModel",
    "check_exportable",
    "export_yace",
    "parse_yace",
    "read_yace",
    "to_yace",
    "write_yace",
    "yace_text",
]
