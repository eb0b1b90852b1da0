"""Clinical names of movements by joint and plane, and the direction that is positive in each.

Signs follow the International Society of Biomechanics: Wu et al. 2002 (ankle, hip), J. Biomech. 35:543-548, and
Wu et al. 2005 (thorax, shoulder blade, shoulder, elbow, forearm, wrist), J. Biomech. 38:981-992; for the knee, which
these leave out, Grood and Suntay 1983, J. Biomech. Eng. 105:136-144. The head on the neck takes the thorax's signs.
Raising the arm is positive, as it is usually reported, though about the axis of Wu et al. it turns the other way.
"""

from typing import Literal

Joint = Literal[
    "neck", "trunk", "shoulder blade", "shoulder", "elbow", "forearm", "wrist", "hip", "knee", "ankle"
]
Plane = Literal["sagittal", "frontal", "transverse", "scapular"]
MovementName = Literal[
    "flexion",
    "extension",
    "abduction",
    "adduction",
    "elevation",
    "internal rotation",
    "external rotation",
    "rotation",
    "lateral flexion",
    "protraction",
    "retraction",
    "pronation",
    "supination",
    "radial deviation",
    "ulnar deviation",
    "dorsiflexion",
    "plantar flexion",
    "inversion",
    "eversion",
    "circumduction",
]

_SPINE: dict[MovementName, tuple[Plane, ...]] = {
    "flexion": ("sagittal",),
    "extension": ("sagittal",),
    "lateral flexion": ("frontal",),
    "rotation": ("transverse",),
    "protraction": ("sagittal",),
    "retraction": ("sagittal",),
}
_BALL: dict[MovementName, tuple[Plane, ...]] = {
    "flexion": ("sagittal",),
    "extension": ("sagittal",),
    "abduction": ("frontal",),
    "adduction": ("frontal",),
    "internal rotation": ("transverse",),
    "external rotation": ("transverse",),
    "circumduction": ("transverse",),
}
_HINGE: dict[MovementName, tuple[Plane, ...]] = {"flexion": ("sagittal",), "extension": ("sagittal",)}

MOVEMENTS: dict[Joint, dict[MovementName, tuple[Plane, ...]]] = {
    "neck": _SPINE,
    "trunk": _SPINE,
    "shoulder blade": {
        "elevation": ("frontal",),
        "protraction": ("transverse",),
        "retraction": ("transverse",),
    },
    "shoulder": {
        **_BALL,
        "abduction": ("frontal", "scapular"),
        "elevation": ("sagittal", "scapular"),
    },
    "elbow": _HINGE,
    "forearm": {"pronation": ("transverse",), "supination": ("transverse",)},
    "wrist": {**_HINGE, "radial deviation": ("frontal",), "ulnar deviation": ("frontal",)},
    "hip": _BALL,
    "knee": _HINGE,
    "ankle": {
        "dorsiflexion": ("sagittal",),
        "plantar flexion": ("sagittal",),
        "inversion": ("frontal",),
        "eversion": ("frontal",),
    },
}
"""The movements of each joint and the planes in which they can be done."""

POSITIVE: dict[tuple[Joint, Plane], str] = {
    ("neck", "sagittal"): "extension",
    ("neck", "frontal"): "lateral flexion to the right",
    ("neck", "transverse"): "rotation to the left",
    ("trunk", "sagittal"): "extension",
    ("trunk", "frontal"): "lateral flexion to the right",
    ("trunk", "transverse"): "rotation to the left",
    ("shoulder blade", "frontal"): "lowering",
    ("shoulder blade", "transverse"): "protraction",
    ("shoulder", "sagittal"): "flexion",
    ("shoulder", "frontal"): "abduction",
    ("shoulder", "scapular"): "elevation",
    ("shoulder", "transverse"): "internal rotation",
    ("elbow", "sagittal"): "flexion",
    ("forearm", "transverse"): "pronation",
    ("wrist", "sagittal"): "flexion",
    ("wrist", "frontal"): "ulnar deviation",
    ("hip", "sagittal"): "flexion",
    ("hip", "frontal"): "adduction",
    ("hip", "transverse"): "internal rotation",
    ("knee", "sagittal"): "flexion",
    ("ankle", "sagittal"): "dorsiflexion",
    ("ankle", "frontal"): "inversion",
}
"""The direction whose angles are positive, on either side of the body."""
CIRCLING_POSITIVE = "counterclockwise seen from above"
