"""A local e-conomic: believable companies (books) and a server that answers as e-conomic does."""
