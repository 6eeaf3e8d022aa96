"""Networks for other runtimes: ONNX and torch.export, checked against PyTorch on real input."""

from kinegraph.export.exporting import LARGEST_ERROR, Exported, export, find_weights, plan_export

__all__ = ["LARGEST_ERROR", "Exported", "export", "find_weights", "plan_export"]
