"""`make live-check`: what e-conomic does where its documents are unsure (docs/unsure.md).

`checks.py` is the table of requests and judges, `answers.py` has the judges, `__main__.py` sends
the requests and reports.
"""
