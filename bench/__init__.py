"""Measurements of the product beside what others offer: `python -m bench --help`."""
