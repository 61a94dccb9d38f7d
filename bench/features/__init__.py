"""Feature spaces: named maps from samples to vectors, in which distances between samples mean something."""
