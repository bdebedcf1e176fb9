"""How well classes built from a few photographs do on other photographs. See __main__."""
