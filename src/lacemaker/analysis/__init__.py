"""What a fitted potential does: errors by group, scans, a short MD run, elasticity, phonons, defects."""

from lacemaker.analysis.body_order import BodyOrderReport, body_order_report
from lacemaker.analysis.defects import (
    ForceConstantErrors,
    GeometryError,
    LatticeErrors,
    force_constant_errors,
    formation_energy,
    geometry_error,
    lattice_errors,
)
from lacemaker.analysis.dimers import DimerCurve, dimer_curves
from lacemaker.analysis.elasticity import (
    ElasticConstants,
    VirialErrors,
    elastic_constants,
    equilibrium_scale,
    virial_errors,
)
from lacemaker.analysis.errors import ErrorTable, GroupErrors, error_table
from lacemaker.analysis.md import MDSummary, short_md
from lacemaker.analysis.phonons import PhononErrors, phonon_errors, phonopy_object, supercell_frequencies
from lacemaker.analysis.predictions import Predictions, predict
from lacemaker.analysis.scans import VolumeScan, volume_scans
from lacemaker.analysis.second_derivatives import hessian
from lacemaker.analysis.tables import errors_markdown, errors_text

__all__ = [
    "BodyOrderReport",
    "DimerCurve",
    "ElasticConstants",
    "ErrorTable",
    "ForceConstantErrors",
    "GeometryError",
    "GroupErrors",
    "LatticeErrors",
    "MDSummary",
    "PhononErrors",
    "Predictions",
    "VirialErrors",
    "VolumeScan",
    "body_order_report",
    "dimer_curves",
    "elastic_constants",
    "equilibrium_scale",
    "error_table",
    "errors_markdown",
    "errors_text",
    "force_constant_errors",
    "formation_energy",
    "geometry_error",
    "hessian",
    "lattice_errors",
    "phonon_errors",
    "phonopy_object",
    "predict",
    "short_md",
    "supercell_frequencies",
    "virial_errors",
    "volume_scans",
]
