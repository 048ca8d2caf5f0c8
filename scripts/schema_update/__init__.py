"""From e-conomic's published documents to the schema files of the tap."""
