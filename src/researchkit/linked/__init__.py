"""What counts give away together: within a table, between the pages of a run, and between two runs."""

from researchkit.linked.cells import Sums, exposed, hidden, reach, sums, table
from researchkit.linked.pages import Company, company, company_of

__all__ = ["Company", "Sums", "company", "company_of", "exposed", "hidden", "reach", "sums", "table"]
