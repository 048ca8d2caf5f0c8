"""How fast the tap is, next to what the SDK gives for free and next to a bare loop.

`make bench` measures, `bench/README.md` says how to read it. Nothing in here is part of the tap.
"""
