"""`make live-check`: which of the possible answers e-conomic gives where its documents are unsure.

`assumptions.py` is the table, which docs/unsure.md is written from as well; `answers.py` tells from
e-conomic's answers which it was; `__main__.py` asks, and reports.
"""
