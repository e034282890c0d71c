"""A finished report in other hands: its figures, tables, result, references and a document, each as a file.

`take` reads the page, so that what is taken along is what was read, small counts and all: nothing is computed anew.
"""

from researchkit.hands.page import Read, read
from researchkit.hands.take import Taken, take

__all__ = ["Read", "Taken", "read", "take"]
