"""What needs a GPU, in one call: ``python -m tests.gpu``; see README.md beside this file."""
