"""What a member is to do: the exercise library."""

from kinetens.program.exercise import Exercise
from kinetens.program.library import find_exercise, library, load_exercise

__all__ = ["Exercise", "find_exercise", "library", "load_exercise"]
