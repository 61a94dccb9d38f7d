"""Two runs held against each other: what became better or worse, and what changed around them. Imports no torch."""
