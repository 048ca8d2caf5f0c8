"""The same examples in every run, and no deadline that a busy machine could miss."""

from hypothesis import settings

settings.register_profile("unit", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("unit")
