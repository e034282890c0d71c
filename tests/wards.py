"""The smallest study that several tests share: one question about the visits to some wards."""

STUDY = """
title: Wards
seed: 1
design: observational
files: visits.csv
columns:
  ward: {type: category}
questions:
  - {id: trust, title: 'Is there more trust?', claim: MEC-1, family: recovery, exposure: kindness,
      outcome: {column: trust, kind: score, unit: point}, smallest_effect: 0.1}
"""
