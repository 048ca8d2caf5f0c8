"""Shards: the share of the companies in an agreements file that one of several jobs reads.

The agreement's number decides, so that a company stays in its shard when the file is sorted, grows,
or has a token replaced. With twice the shards, the companies of shard `i` of `n` are in the shards
`i` and `i + n`: both can continue from a copy of its state.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from singer_sdk.helpers.types import TapState

from tap_visma_economic.agreements_file import Grant
from tap_visma_economic.config import Config, value_of
from tap_visma_economic.errors import ConfigError

_OTHER_WAYS = ("agreement_grant_token", "agreements")


def shard_of(number: int, count: int) -> int:
    """Return the shard, from 0, of an agreement."""
    return int.from_bytes(sha256(str(number).encode()).digest(), "big") % count


def divide(grants: Sequence[Grant], config: Config) -> tuple[list[Grant], list[int]]:
    """Return the grants of this job's shard, and the agreement numbers of the other shards.

    Raises:
        ConfigError: the settings do not go together, or a grant's agreement number is unknown.
    """
    index, count = config.get("shard_index"), config.get("shard_count")
    if index is None and count is None:
        return [*grants], []
    if index is None or count is None or index >= count:
        raise ConfigError(
            "shard_index and shard_count belong together: set both; shard_index is 0 to "
            "shard_count - 1"
        )
    if other := next(filter(config.get, _OTHER_WAYS), None):
        raise ConfigError(f"{other} would be read by every shard. Move it to agreements_file")
    if value_of(config, "emit_activate_version_messages") and not config.get(
        "shard_has_own_tables"
    ):
        raise ConfigError(
            "With emit_activate_version_messages, each shard would delete the rows of the others. "
            "Give each shard its own schema in the target and set shard_has_own_tables, or unset "
            "emit_activate_version_messages"
        )
    mine: list[Grant] = []
    others: list[int] = []
    unknown: list[str] = []
    for grant in grants:
        if grant.number is None:
            unknown.append(grant.where)
        elif shard_of(grant.number, count) == index:
            mine.append(grant)
        else:
            others.append(grant.number)
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise ConfigError(
            f"{unknown[0]}{more}: agreement_number is missing, which determines the shard. Run "
            "tap-visma-economic-connect --into FILE --fill to add it"
        )
    return mine, others


def forget_others(state: TapState, numbers: Sequence[int]) -> None:
    """Remove the partitions of agreements in other shards: a state may be a copy of theirs."""
    gone = {*numbers}
    for bookmark in state.get("bookmarks", {}).values() if gone else ():
        if isinstance(partitions := bookmark.get("partitions"), list):
            bookmark["partitions"] = [
                partition
                for partition in partitions
                if partition.get("context", {}).get("agreementNumber") not in gone
            ]
