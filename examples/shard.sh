#!/usr/bin/env bash
# shard.sh 3-of-8
set -euo pipefail
cd "$(dirname "$0")"

# Meltano hands the tap its state and catalog in files: each shard needs a folder of its own for them.
export MELTANO_SYS_DIR_ROOT="$PWD/.shards/$1"
mkdir -p "$MELTANO_SYS_DIR_ROOT"
ln -sfn "$PWD/.meltano/extractors" "$PWD/.meltano/loaders" "$MELTANO_SYS_DIR_ROOT"

export TAP_VISMA_ECONOMIC__CATALOG=catalog.json
export TAP_VISMA_ECONOMIC_SHARD_INDEX="${1%-of-*}"
export TAP_VISMA_ECONOMIC_SHARD_COUNT="${1#*-of-}"
exec meltano run --state-id-suffix "$1" tap-visma-economic target-postgres
