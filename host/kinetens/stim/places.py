"""Where pads may lie, and where never.

Both pads of a channel lie on one place and one side of the body, so that the current cannot cross the chest.
Source: Houghton, Nussbaum, Hoens, "Electrophysical agents: contraindications and precautions", Physiotherapy Canada
62(5), 2010, on TENS and NMES.
"""

ALLOWED = (
    "back of the neck",
    "shoulder",
    "upper arm",
    "elbow",
    "forearm",
    "wrist",
    "hand",
    "upper back",
    "lower back",
    "hip",
    "buttock",
    "thigh",
    "knee",
    "shin",
    "calf",
    "ankle",
    "foot",
)

_HEART = "current through the chest can disturb the heart"
_THROAT = "current there can close the throat and drop the blood pressure"
_HEAD = "current never goes through the head"

FORBIDDEN = {
    "chest": _HEART,
    "across the chest": _HEART,
    "ribs": _HEART,
    "left and right arm": _HEART,
    "neck": f"say 'back of the neck'; at its front and sides {_THROAT}",
    "front of the neck": _THROAT,
    "side of the neck": _THROAT,
    "throat": _THROAT,
    "head": _HEAD,
    "temples": _HEAD,
    "face": _HEAD,
    "eye": _HEAD,
    "mouth": _HEAD,
    "belly": "kinetens is not for the belly",
    "pelvic floor": "kinetens is not for inside the body or the pelvic floor",
    "broken skin": "current gathers in a wound and burns it",
    "wound": "current gathers in a wound and burns it",
    "scar that is still open": "current gathers in a wound and burns it",
    "varicose vein": "a clot there could come loose",
    "tumour": "stimulation may make it grow",
}

SIDES = ("left", "right", "middle")
ONE_SIDED = frozenset(ALLOWED) - {"back of the neck", "upper back", "lower back"}


def refusal(place: str) -> str | None:
    """Why pads may not lie on a place, or None."""
    if place in ALLOWED:
        return None
    why = FORBIDDEN.get(place)
    if why:
        return f"no pads on '{place}': {why}"
    return f"'{place}' is no place for pads; it can be {', '.join(ALLOWED)}"
