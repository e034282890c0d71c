"""What happened when, to outcomes that can be counted: retention, readmission, length of stay, time to recovery.

An outcome is counted over the same length of time for everybody. Who was not watched for all of it is not yet
countable, which is neither yes nor no, whether or not the event was already seen: those seen early would be all yes.
Without a window the outcome is a time, and who was not watched to the end is censored.
"""

from researchkit.events.build import built
from researchkit.events.moments import Moments
from researchkit.events.reads import of_events

__all__ = ["Moments", "built", "of_events"]
