"""Tests of bench.comparison."""
