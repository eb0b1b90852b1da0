"""The virtual device's battery and charger."""

from dataclasses import dataclass


@dataclass(slots=True)
class Battery:
    """A small lithium cell, linear between empty and full."""

    level: float = 0.8
    charging: bool = False
    empty_v: float = 3.3
    full_v: float = 4.15
    hours: float = 12.0

    def voltage_v(self, time_s: float) -> float:
        """Terminal voltage after `time_s` of use since the level was set."""
        level = self.level if self.charging else max(0.0, self.level - time_s / 3600 / self.hours)
        return self.empty_v + level * (self.full_v - self.empty_v)
