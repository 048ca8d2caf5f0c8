"""Subscriptions, their lines and subscribers."""

from __future__ import annotations

from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.replication import ByTimestamp


class Subscriptions(OpenApiStream):
    """Subscriptions: what is invoiced over and over, and how often."""

    name, module, path = "subscriptions", "subscriptionsapi", "/Subscriptions"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class SubscriptionLines(OpenApiStream):
    """Products of a subscription."""

    name, module, path = "subscription_lines", "subscriptionsapi", "/subscriptionlines"
    primary_keys = ("agreementNumber", "subscriptionNumber", "number")
    keyset = "subscriptionNumber"


class Subscribers(OpenApiStream):
    """Customers on a subscription."""

    name, module, path = "subscribers", "subscriptionsapi", "/Subscribers"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")
