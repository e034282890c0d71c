"""What is said in the simulated conversations: our own sentences, by what they do, and some that only seem to do it.

About one in six sentences of a code is worded so that a list of phrases misses it, and some of the plain ones hold a
phrase of the lists, so that no coder can be perfect.
"""

from __future__ import annotations

import numpy as np

THINGS = ("parcel", "invoice", "router", "refund", "booking", "contract", "delivery", "account", "sofa", "phone line")
WAITS = ("two weeks", "ten days", "since Monday", "the whole month", "three evenings", "half a year")
SAID = {
    "acknowledging": (
        "I understand how annoying that is.",
        "That must be exhausting after {wait}.",
        "I'm really sorry you had to go through this with the {thing}.",
        "I can see why this has upset you.",
        "You have every right to be angry about the {thing}.",
        "No wonder you are fed up.",
        "That sounds really frustrating.",
        "I would be upset too.",
        "Thank you for telling me what this was like.",
        "I hear you, {wait} is far too long.",
        "It makes sense that you lost your patience.",
        "We're so sorry about the {thing}, this is hard.",
        "Being left without the {thing} for {wait} would wear anybody out.",
        "What a miserable {wait} you have had.",
    ),
    "reflecting": (
        "So you're saying the {thing} was promised and never came.",
        "It sounds like the waiting is worse than the {thing} itself.",
        "So you've called about the {thing} again and again.",
        "What I'm hearing is that nobody called you back.",
        "In other words the {thing} worked until last week.",
        "If I understand you right, the {thing} matters most.",
        "It seems like you've lost trust in the dates we give.",
        "You mentioned that the {thing} is for your mother.",
        "You're wondering whether to keep the {thing} at all.",
        "So it's the {thing} for now, and the rest can wait.",
        "First the {thing}, and then {wait} of silence.",
    ),
    "reassuring": (
        "Don't worry, this happens and it gets sorted.",
        "You're in good hands now.",
        "We'll sort this out together.",
        "I'm here to help until the {thing} is settled.",
        "It will be all right.",
        "You can count on me with the {thing}.",
        "You're not alone with this.",
        "You did the right thing by calling.",
        "Take your time, I am listening.",
        "I will stay with you on the line.",
        "Nobody is going to charge you for the {thing}.",
    ),
    "acting": (
        "I'm sending another {thing} today.",
        "I've already put the {thing} first in the queue.",
        "I will call the warehouse about the {thing} now.",
        "Let me check the {thing} right away.",
        "We've booked somebody for tomorrow.",
        "I have just corrected the {thing}.",
        "There is another {thing} on its way to your door.",
    ),
    "dismissing": (
        "Please calm down.",
        "There is nothing I can do about the {thing}.",
        "That's not my department.",
        "You should have read the letter about the {thing}.",
        "As I said, the {thing} takes {wait}.",
        "That's just how it works.",
        "It's not a big problem, other people have waited longer.",
        "You need to understand that we are busy.",
        "Like I told you before.",
        "Well, these things happen to everyone.",
    ),
    "scripted": (
        "Thank you for calling our service line.",
        "Your call is important to us.",
        "Is there anything else I can help you with?",
        "This call may be recorded for training and quality.",
        "We apologise for any inconvenience.",
        "Have a nice day.",
        "Can you confirm your customer number please?",
        "Under our policy the {thing} is handled within {wait}.",
        "For your convenience all our agents are currently assisting others.",
    ),
    "plain": (
        "And when did the {thing} last work?",
        "Which {thing} are we talking about?",
        "Was that before or after the holiday?",
        "One moment.",
        "Who did you speak with about the {thing}?",
        "Is the {thing} the blue one or the older model?",
        "Okay, and what happened then?",
        "Where was the {thing} left?",
        "I understand English and French, so either is fine.",
        "There are two of them on the list in front of me.",
    ),
    "calm": (
        "All right, thanks.",
        "Yes, that would be good.",
        "Okay, I can wait a day for the {thing}.",
        "It was left with the neighbour, I think.",
        "Fine, let us do it like that.",
        "That is kind, thank you.",
        "No problem, the {thing} is not that urgent.",
    ),
    "annoyed": (
        "I have been waiting for the {thing} {wait} now.",
        "This is the third time I call about the {thing}.",
        "Why did nobody tell me about the {thing}?",
        "I was told it would be there by now.",
        "So what am I supposed to do without the {thing}?",
        "Honestly, this is not good enough.",
        "And who pays for the {thing} in the meantime?",
    ),
    "angry": (
        "This is a joke, I want my money back now!",
        "I am sick of this, get me your manager.",
        "You people ruin everything, it is just one {thing}!",
        "I have had it with you and your {thing}.",
        "Do you even listen to what I say?",
        "Never again, I will tell everybody about this {thing}.",
        "How can it take {wait} to find one {thing}?",
    ),
}
OPENERS = ("", "", "", "", "Okay. ", "Right, well. ", "Um, ", "Yes. ", "Oh. ")


def sentence(rng: np.random.Generator, does: str) -> str:
    """One sentence that does what it is asked to do."""
    forms = SAID[does]
    said = forms[rng.integers(len(forms))]
    return said.format(thing=THINGS[rng.integers(len(THINGS))], wait=WAITS[rng.integers(len(WAITS))])


def turn(rng: np.random.Generator, does: list[str]) -> str:
    """A turn that does all of this, in whatever order; what does nothing of it is plain."""
    parts = [sentence(rng, one) for one in rng.permutation(does or ["plain"])]
    return OPENERS[rng.integers(len(OPENERS))] + " ".join(parts)


def feeling(rng: np.random.Generator, anger: float) -> str:
    """What a caller says who is so angry, from 0 to 10; words tell anger only roughly."""
    felt = anger + rng.normal(0, 1.2)
    return turn(rng, ["calm" if felt < 3.5 else "annoyed" if felt < 6.5 else "angry"])
