"""The command line: one file is one command, and nothing else lists it. No torch."""
