"""The wire: one company's requests, within its call budget, tried again where that helps."""
