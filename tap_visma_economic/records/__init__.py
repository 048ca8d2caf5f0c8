"""Rows: from the bytes of an answer to records, decoded once."""
