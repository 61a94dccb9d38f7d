"""Plugins for transferbench; `bench list` shows them once this distribution is installed."""
