"""Building blocks of the networks: aggregation on skeleton graphs, HCSF, dynamic graphs, temporal convolution."""

from kinegraph.layers.aggregation import Aggregation, Sharing
from kinegraph.layers.dynamic_graph import DynamicGraph
from kinegraph.layers.hcsf import HCSF, HCSFOptions, squeezed_channels
from kinegraph.layers.neighbours import Neighbours
from kinegraph.layers.node_linear import NodeLinear
from kinegraph.layers.normalisation import NodeBatchNorm, Norm
from kinegraph.layers.semantic_graph import NonLocal, SemanticGraphConv
from kinegraph.layers.temporal import TemporalConv

__all__ = [
    "HCSF",
    "Aggregation",
    "DynamicGraph",
    "HCSFOptions",
    "Neighbours",
    "NodeBatchNorm",
    "NodeLinear",
    "NonLocal",
    "Norm",
    "SemanticGraphConv",
    "Sharing",
    "TemporalConv",
    "squeezed_channels",
]
