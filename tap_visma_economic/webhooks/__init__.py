"""Webhooks: the receiver, its inbox, and the registration in e-conomic."""
