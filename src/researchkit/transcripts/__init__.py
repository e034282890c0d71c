"""Compassion coded from the words of conversations, turn by turn, and how far the codes agree with people's.

Two coders: our own list of phrases, every decision of which can be read, and a small model learned from the user's own
coded turns. Neither enters an answer before its agreement with people is known and good enough.
"""

from researchkit.transcripts.agreement import Agreed, agreed
from researchkit.transcripts.language import english
from researchkit.transcripts.listen import Heard, listen
from researchkit.transcripts.phrases import by_phrases, phrases
from researchkit.transcripts.tables import heard, with_codes

__all__ = ["Agreed", "Heard", "agreed", "by_phrases", "english", "heard", "listen", "phrases", "with_codes"]
