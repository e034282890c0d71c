"""Data sets with one planted defect each, and clean ones, all made by code; `kinds.KINDS` is the table."""
