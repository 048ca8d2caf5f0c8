"""Readings: what one run asks of a stream and a company, and how its bookmark moves."""
