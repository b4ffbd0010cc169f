"""Potentials in other programs: LAMMPS through our own pair style or through ML-PACE."""
