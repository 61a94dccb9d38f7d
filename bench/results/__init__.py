"""What became of cells: records, their schema, the tidy table, and what may be concluded from it. No torch."""
