"""Sequence to sequence, or arrays to a network's arrays; each is named, and stored with the weights that need it."""
