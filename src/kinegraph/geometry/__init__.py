"""Pure functions on arrays: rotations, forward and inverse kinematics, cameras. NumPy only."""
