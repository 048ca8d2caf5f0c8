{{ sync_runs() }}
