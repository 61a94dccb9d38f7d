"""Pure functions on arrays: what may be concluded from a few seeds. Imports no torch and no other part of bench."""
