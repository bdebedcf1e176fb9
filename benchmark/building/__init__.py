"""How exact the sparse cloud of a class is, with good annotations and with spoiled ones. See __main__."""
