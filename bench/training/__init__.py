"""A model on its way to a new domain: the loop, its tuning, and the pretrained models it begins with."""
