"""Reproducible studies that combine the other rooms: how well a fit carries over to crystal defects."""
