"""The documentation site: pages that follow from the tap's declarations, and a check of them."""
