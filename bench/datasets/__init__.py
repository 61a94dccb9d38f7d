"""Domains: one domain, one file, one function that returns a bench.dataset.Dataset."""
