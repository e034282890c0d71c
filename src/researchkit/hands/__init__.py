"""Reports in other hands: the parts of one as files, or all of them as other people may have them.

`take` reads the page, so that what is taken along is what was read, small counts and all: nothing is computed anew.
"""

from researchkit.hands.page import Read, read
from researchkit.hands.share import Shared, share
from researchkit.hands.take import Taken, take

__all__ = ["Read", "Shared", "Taken", "read", "share", "take"]
