"""Kinetens: measure and count home exercises with a worn sensor, and steer its nerve stimulation safely."""

__version__ = "0.1.0"
