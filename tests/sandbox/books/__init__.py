"""The books of a made-up Danish company, one module per domain, built from a seed.

``company.build_company`` tells the company's story once; every domain module then marks, with
``rows.listing``, the functions that list the rows of an endpoint. Money is counted in whole øre (or
cents) everywhere inside, and becomes a Decimal in the rows.
"""
