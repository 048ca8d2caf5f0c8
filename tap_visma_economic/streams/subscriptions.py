"""Subscriptions, their lines and subscribers."""

from __future__ import annotations

from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.replication import ByTimestamp


class Subscriptions(OpenApiStream):
    """Subscriptions: what is invoiced over and over, and how often."""

    name = "subscriptions"
    module = "subscriptionsapi"
    path = "/Subscriptions"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")


class SubscriptionLines(OpenApiStream):
    """Products of a subscription."""

    name = "subscription_lines"
    module = "subscriptionsapi"
    path = "/subscriptionlines"
    primary_keys = ("agreementNumber", "subscriptionNumber", "number")
    keyset = "subscriptionNumber"


class Subscribers(OpenApiStream):
    """Customers on a subscription."""

    name = "subscribers"
    module = "subscriptionsapi"
    path = "/Subscribers"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")
