"""`tap-visma-economic-connect`: from an app's tokens to a company's grant, checked and saved.

Somebody at the company adds the app in a browser, at its installation URL. e-conomic then sends the
agreement grant token to a URL of the app's choice (`listener`), or shows it (`--paste`). The grant
is checked (`token_check`), and saved in the agreements file (`store`) or printed.
"""
