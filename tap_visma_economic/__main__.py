"""`python -m tap_visma_economic`: the tap's command line."""

from tap_visma_economic.tap import TapVismaEconomic

TapVismaEconomic.cli()
