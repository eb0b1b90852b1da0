"""Stimulation as the host sees it: plans, their arithmetic in words, and the controller that renews the
lease.
"""

from kinetens.stim.channel import LinkChannel, StimulationChannel
from kinetens.stim.controller import Outcome, StimulationController
from kinetens.stim.plan import StimulationPlan, default_plan

__all__ = [
    "LinkChannel",
    "Outcome",
    "StimulationChannel",
    "StimulationController",
    "StimulationPlan",
    "default_plan",
]
