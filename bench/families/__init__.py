"""Model families: one family, one file, one class that fills the contract in bench/model.py."""
