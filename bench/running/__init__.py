"""Cells to records: what is missing, in which processes it is made, and what is shown meanwhile."""
