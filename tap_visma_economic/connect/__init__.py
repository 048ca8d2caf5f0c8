"""`tap-visma-economic-connect`: the way from no token to a tested grant.

An app asks for access with its installation URL; somebody of the company adds the app in a browser;
e-conomic hands out the agreement grant token, either to an address of the app's choice (`listener`)
or on the screen (paste mode). The grant is checked (`company`), stored (`stores`), and what it may
read is told (`report`).
"""
