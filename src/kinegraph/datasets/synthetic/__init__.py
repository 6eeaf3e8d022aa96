"""Embedded default data: procedural human motion, made on the spot from a seed."""
