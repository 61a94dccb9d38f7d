"""Transfer approaches: one approach, one file, one function of the same name."""
