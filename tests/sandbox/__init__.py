"""A local e-conomic: believable companies (books) and a server that answers as e-conomic does.

    with Sandbox(standard_grants()) as sandbox:
        ...  # sandbox.url is the base of both hosts, sandbox.app_secret and "demo" open it

``python -m tests.sandbox`` starts one from the command line. Nothing in here imports the tap: what
the sandbox knows of the API (``facts.json``) comes from e-conomic's published documents.
"""

from .budget import Budget
from .connection import Request
from .grants import Grant
from .server import Sandbox

__all__ = ["Budget", "Grant", "Request", "Sandbox"]
