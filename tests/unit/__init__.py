"""The ground floor, module by module: no network, no Singer run."""
