"""Do the tests bite? Small faults are put into the sources one at a time, and tests must fail."""
