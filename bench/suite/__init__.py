"""YAML to cells: what a suite declares, what is wrong with it, and the matrix that it comes to. No torch."""
