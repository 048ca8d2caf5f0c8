"""Listings: how one is filtered, paged and cut, so that no row is left out."""
