"""The books of a made-up Danish company, one module per domain, built from a seed.

``world.build_world`` tells the company's story once; every domain module then lists the endpoints
it can fill in a table ``LISTINGS``: endpoint key -> function of the world and the path parameters.
Money is counted in whole øre (or cents) everywhere inside, and becomes a Decimal in the rows.
"""
