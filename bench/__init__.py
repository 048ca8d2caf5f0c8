"""How fast the tap is: `make bench` compares it with stock SDK classes and with a bare loop."""
