"""How much a spherical map helps, which loss does what, and whether it carries over. See __main__."""
