"""Which joints the names or the number of joints in a file stand for."""
