"""Training: recipes, the Lightning task and the run folder. The only package that imports Lightning.

`kinegraph.training.recipe` imports neither torch nor Lightning; everything else is loaded when a run starts.
"""
