"""`analyze robustness`, `stability`, `actional-graph`, `tsne` and `poses`: what trained motion networks do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinegraph.cli.analyze import AnalyzeCommand
from kinegraph.cli.analyze_report import add_report_arguments, write_json

if TYPE_CHECKING:
    from kinegraph.weights import LoadedWeights

__all__ = ["ANALYSES"]

_SIGMAS = [round(0.01 * step, 2) for step in range(1, 11)]


def _models(parser: argparse.ArgumentParser, *, one: bool = False, baselines: bool = False) -> None:
    text = (
        "weights folder" + ("" if one else "s") + (", or baselines (zero-velocity)" if baselines else " of a Sym-GNN")
    )
    if one:
        parser.add_argument("model", metavar="M", help=text)
    else:
        parser.add_argument("models", nargs="+", metavar="M", help=text)


def _noise(parser: argparse.ArgumentParser, draws: int) -> None:
    parser.add_argument(
        "--sigmas", nargs="+", type=float, metavar="S", default=_SIGMAS, help="rad, or m (0.01, 0.02, ... 0.1)"
    )
    parser.add_argument("--draws", type=int, default=draws, help=f"draws of noise for every sigma ({draws})")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (0)")


def _windows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", default="cmu-8", help="cmu-8 (default), h36m-angles or ntu-forecasting")
    parser.add_argument("--data", metavar="DIR", required=True, help="folder of its files")
    parser.add_argument("--split", default="test", help="test (default), or another split of it")
    parser.add_argument("--windows", type=int, default=64, metavar="N", help="windows of each action at most (64)")


# ---- robustness -----------------------------------------------------------------------------------------------------


def _add_robustness(parser: argparse.ArgumentParser) -> None:
    _models(parser, baselines=True)
    parser.add_argument("--protocol", default="cmu-euler-64", help="forecasting protocol (cmu-euler-64), or cmu-8")
    parser.add_argument("--data", metavar="DIR", required=True, help="folder of its files")
    parser.add_argument("--split", default="test", help="test (default), or val")
    _noise(parser, 2)
    parser.add_argument("--stride", type=int, default=5, metavar="N", help="recognition: every N-th window (5)")
    add_report_arguments(parser)


def _robustness(args: argparse.Namespace) -> int:
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.analysis_pictures import draw_robustness
    from kinegraph.evaluation.forecasting import benchmark_of, load_forecast_method
    from kinegraph.evaluation.forecasting_protocols import FORECAST_PROTOCOLS, load_forecast_protocol
    from kinegraph.evaluation.recognition import RECOGNITION_PROTOCOLS, load_recognition_method
    from kinegraph.evaluation.robustness import forecasting_robustness, recognition_robustness, robustness_report
    from kinegraph.hub import locate
    from kinegraph.inference.motion_window import baseline_of
    from kinegraph.models import baselines
    from kinegraph.seeds import check_seed
    from kinegraph.shipped import find_folder
    from kinegraph.weights import transform_of

    check_seed(args.seed, "--seed")
    forecasting = args.protocol in FORECAST_PROTOCOLS
    if not forecasting and args.protocol not in RECOGNITION_PROTOCOLS:
        known = ", ".join((*FORECAST_PROTOCOLS, *RECOGNITION_PROTOCOLS))
        raise ConfigError(f"unknown protocol '{args.protocol}' (there are {known})")
    noise = {"sigmas": args.sigmas, "draws": args.draws, "seed": args.seed}
    forecasters, recognisers = [], []
    for name in args.models:
        plain = find_folder(name) is None and baseline_of(name) is not None
        transform: Any = None if plain else transform_of(locate(name, others=baselines()))
        horizon, actions = getattr(transform, "horizon", 1), getattr(transform, "actions", ())
        if forecasting and horizon:
            forecasters.append(load_forecast_method(name))
        if actions and (not forecasting or args.protocol.startswith("cmu")):
            recognisers.append(load_recognition_method(name))
        elif not forecasting or not horizon:
            raise ConfigError(f"{name} does not do what {args.protocol} measures; choose another model or protocol")
    results = []
    benchmark = benchmark_of(forecasters) if args.protocol == "ntu-pck" else None
    for method in forecasters:
        representation = method.representation if args.protocol == "cmu-mpjpe" else None
        protocol = load_forecast_protocol(
            args.protocol,
            args.data,
            split=args.split,
            representation=representation,
            benchmark=benchmark,
            progress=True,
        )
        results.append(forecasting_robustness(method, protocol, **noise))
    for recogniser in recognisers:
        results.append(
            recognition_robustness(recogniser, "cmu-8", args.data, split=args.split, stride=args.stride, **noise)
        )
    print(robustness_report(results, markdown=args.markdown))
    published = {
        "source": "Li et al., Sym-GNN, TPAMI 2021, Fig. 14",
        "text": "drawn only; NTU-RGB+D: accuracy high up to sigma 0.04; Human3.6M: poses precise below 0.03",
    }
    content = {"analysis": "robustness", "results": [result.to_json() for result in results], "published": published}
    write_json(args.json, content)
    if args.out:
        _wrote(draw_robustness(results, args.out))
    return 0


# ---- stability ------------------------------------------------------------------------------------------------------


def _add_stability(parser: argparse.ArgumentParser) -> None:
    _models(parser)
    _windows(parser)
    _noise(parser, 2)
    add_report_arguments(parser)


def _stability(args: argparse.Namespace) -> int:
    from kinegraph.evaluation.analysis_pictures import draw_stability
    from kinegraph.evaluation.provenance import run_label
    from kinegraph.evaluation.stability import first_layer, measure_stability, stability_report
    from kinegraph.seeds import check_seed

    check_seed(args.seed, "--seed")
    networks = [_network(name) for name in args.models]
    for weights in networks:
        first_layer(weights.model)  # what is no such network is said before minutes of work
    results = []
    for weights in networks:
        windows = _labelled(args, weights)
        found = measure_stability(
            weights.model,
            weights.transform,  # type: ignore[arg-type]
            windows.features,
            label=run_label(weights.folder),
            sigmas=args.sigmas,
            draws=args.draws,
            seed=args.seed,
        )
        found.info["data"] = windows.data
        results.append(found)
    print("\n\n".join(stability_report(result, markdown=args.markdown) for result in results))
    contents = [result.to_json() for result in results]
    write_json(args.json, contents[0] if len(contents) == 1 else {"analysis": "stability", "results": contents})
    if args.out:
        _wrote(draw_stability(results, args.out))
    return 0


# ---- actional graphs ------------------------------------------------------------------------------------------------


def _add_graph(parser: argparse.ArgumentParser) -> None:
    _models(parser, one=True)
    parser.add_argument("--action", nargs="+", metavar="A", help="one or several (default: every action of the data)")
    parser.add_argument("--edges", type=int, default=15, metavar="N", help="edges of each action (15)")
    _windows(parser)
    add_report_arguments(parser)


def _graph(args: argparse.Namespace) -> int:
    from kinegraph.evaluation.actional_graphs import (
        actional_graphs,
        edges_report,
        moving_nodes,
        node_names,
        stream_of,
        strongest_edges,
        with_nodes,
    )
    from kinegraph.evaluation.analysis_pictures import draw_actional_graphs
    from kinegraph.evaluation.labelled_windows import body_positions
    from kinegraph.evaluation.provenance import run_label

    weights = _network(args.model)
    windows = _labelled(args, weights)
    transform: Any = weights.transform
    moving = transform.used.any(axis=1)
    stream = stream_of(weights.model)
    graphs, edges, poses, means = {}, {}, {}, {}
    skeleton = windows.skeleton
    for action in dict.fromkeys(args.action or windows.actions):
        features = windows.of(action)
        graphs[action] = actional_graphs(weights.model, transform, features)
        means[action] = graphs[action].mean(axis=0)
        edges[action] = strongest_edges(means[action], windows.skeleton, args.edges, moving=moving, stream=stream)
        middle = features[len(features) // 2, transform.observed // 2]
        body = body_positions(middle, windows.skeleton, windows.rig)
        poses[action], skeleton = with_nodes(*body, windows.skeleton, stream)
    print(edges_report(edges, stream=stream, markdown=args.markdown))
    names = node_names(windows.skeleton, stream)
    moves = moving_nodes(moving, windows.skeleton, stream)
    still = [name for name, ever in zip(names, moves, strict=True) if not ever]
    counts = ", ".join(f"{len(graphs[action])} of {action}" for action in edges)
    print(f"note: mean over windows of {windows.data['name']}: {counts}")
    if stream == "bone":
        print("note: this network sees bones, each named by the joint that it leads to, and the root")
    if still:
        print(
            f"note: without {stream}s that never move in training, of which the network sees nothing: "
            f"{', '.join(still)}"
        )
    label = run_label(weights.folder)
    content = {
        "analysis": "actional-graph",
        "model": label,
        "joints": list(windows.skeleton.joints),
        "stream": stream,
        "nodes": list(names),
        "data": windows.data,
        "actions": {
            action: {
                "windows": len(graphs[action]),
                "edges": [edge.__dict__ for edge in edges[action]],
                "mean": means[action].tolist(),
            }
            for action in edges
        },
    }
    write_json(args.json, content)
    if args.out:
        graph = "mean actional graph of bones" if stream == "bone" else "mean actional graph"
        title = f"{label}: the {args.edges} strongest edges of the {graph}, {windows.data['name']}"
        _wrote(draw_actional_graphs(edges, poses, skeleton, args.out, title=title))
    return 0


def _add_tsne(parser: argparse.ArgumentParser) -> None:
    _models(parser, one=True)
    _windows(parser)
    parser.add_argument("--perplexity", type=float, default=30.0, help="about how many neighbours a graph has (30)")
    parser.add_argument("--seed", type=int, default=0, help="of the layout (0)")
    add_report_arguments(parser)


def _tsne(args: argparse.Namespace) -> int:
    from kinegraph.errors import require
    from kinegraph.evaluation.actional_graphs import actional_graphs, graph_map, map_report
    from kinegraph.evaluation.analysis_pictures import draw_map
    from kinegraph.evaluation.provenance import run_label
    from kinegraph.seeds import check_seed

    check_seed(args.seed, "--seed")
    require("sklearn", extra="analysis", purpose="the t-SNE map of actional graphs")
    weights = _network(args.model)
    windows = _labelled(args, weights)
    graphs = actional_graphs(weights.model, weights.transform, windows.features)  # type: ignore[arg-type]
    found = graph_map(graphs, windows, perplexity=args.perplexity, seed=args.seed, label=run_label(weights.folder))
    print(map_report(found, markdown=args.markdown))
    write_json(args.json, found.to_json())
    if args.out:
        _wrote(draw_map(found, args.out))
    return 0


# ---- poses ----------------------------------------------------------------------------------------------------------


def _add_poses(parser: argparse.ArgumentParser) -> None:
    _models(parser, baselines=True)
    parser.add_argument("--action", required=True, metavar="A", help="an action of the protocol")
    parser.add_argument("--protocol", default="cmu-euler-64", help="forecasting protocol (cmu-euler-64)")
    parser.add_argument("--data", metavar="DIR", required=True, help="folder of its files")
    parser.add_argument("--split", default="test", help="test (default), or val")
    parser.add_argument("--window", type=int, default=0, metavar="N", help="which of its windows (0)")
    parser.add_argument("--every-ms", type=int, default=80, metavar="MS", help="step, by the literature's labels (80)")
    parser.add_argument("--theme", choices=("light", "dark"), default="light", help="of the picture (light)")
    add_report_arguments(parser)


def _poses(args: argparse.Namespace) -> int:
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.forecast_poses import pose_strip, strip_report
    from kinegraph.evaluation.forecasting import benchmark_of, load_forecast_method
    from kinegraph.evaluation.forecasting_protocols import load_forecast_protocol
    from kinegraph.visualize.pose_strip import write_pose_strip

    methods = [load_forecast_method(name) for name in args.models]
    kinds = {method.representation for method in methods} - {None}
    if len(kinds) > 1:
        raise ConfigError("models of angles and of positions have different joints; draw them apart")
    representation = kinds.pop() if kinds and args.protocol == "cmu-mpjpe" else None
    protocol = load_forecast_protocol(
        args.protocol,
        args.data,
        split=args.split,
        representation=representation,
        benchmark=benchmark_of(methods) if args.protocol == "ntu-pck" else None,
        progress=True,
    )
    strip = pose_strip(methods, protocol, args.action, window=args.window, every_ms=args.every_ms)
    print(strip_report(strip, markdown=args.markdown))
    write_json(args.json, strip.to_json())
    if args.out:
        path = Path(args.out) / f"poses_{args.action}.png"
        truly = f"{strip.elapsed_ms[0]:.0f} to {strip.elapsed_ms[-1]:.0f} ms"
        write_pose_strip(
            path,
            strip.skeleton,
            strip.observed,
            strip.truth,
            strip.methods,
            instants=[f"{time} ms" for time in strip.labels_ms],
            notes={label: [f"{error:.0f} mm" for error in strip.errors_mm(label)] for label in strip.methods},
            title=f"{args.action.replace('_', ' ')}: truth, and what was forecast from the frames before",
            subtitle=f"{strip.protocol}, {args.split} split, window {strip.window}; pale: the truth; below: mean "
            f"distance of the joints; the literature's labels, truly {truly}",
            theme_name=args.theme,
        )
        _wrote([path])
    return 0


# ---------------------------------------------------------------------------------------------------------------------


def _network(name: str) -> LoadedWeights:
    from kinegraph.errors import ConfigError
    from kinegraph.hub import locate
    from kinegraph.transforms.motion import MotionTransform
    from kinegraph.weights import load_weights

    weights = load_weights(locate(name))
    if not isinstance(weights.transform, MotionTransform):
        raise ConfigError(f"{name} holds {weights.kind} ({weights.model_name}); this analysis needs a motion network")
    return weights


def _labelled(args: argparse.Namespace, weights: LoadedWeights) -> Any:
    from kinegraph.evaluation.labelled_windows import load_labelled_windows

    return load_labelled_windows(weights, args.dataset, args.data, split=args.split, most=args.windows)


def _wrote(paths: list[Any]) -> None:
    for path in paths:
        print(f"wrote {path}")


def _examples(*lines: str) -> str:
    return "examples:\n" + "\n".join(f"  kinegraph analyze {line}" for line in lines)


ANALYSES = {
    "robustness": AnalyzeCommand(
        help="Fig. 14: error and accuracy under noise on the input",
        description="Gaussian noise on the input: raw features, radians (exponential maps) or metres (positions), "
        "every channel that moves.\nThe error under the protocol, and of networks that recognise CMU's actions the "
        "accuracy under cmu-8 (every 5th window).\nThe truth stays clean, and all models of angles, as all of places, "
        "get the same draws.",
        examples=_examples(
            "robustness runs/symgnn_cmu_cpu/best zero-velocity --data ../shared/data --out pictures/",
            "robustness runs/symgnn_cmu_cpu/best --protocol cmu-8 --data ../shared/data --stride 1 --draws 4",
        ),
        add_arguments=_add_robustness,
        run=_robustness,
    ),
    "stability": AnalyzeCommand(
        help="Theorem 1, Fig. 15: how the first layer answers to disturbed input, and its bound",
        description="Theorem 1 of the Sym-GNN paper on a trained network: noise on the input, the response of the "
        "actional graph\n(ratio ||A*X* - AX|| / ||X* - X||, amplify factor q), the measured distortion of the first "
        "activated layer,\nand the theorem's bound beside it.",
        examples=_examples("stability runs/symgnn_cmu_cpu/best --data ../shared/data --out pictures/"),
        add_arguments=_add_stability,
        run=_stability,
    ),
    "actional-graph": AnalyzeCommand(
        help="Fig. 11: the strongest edges of an action's graph, on the skeleton",
        description="The mean actional graph over an action's windows: its strongest edges as a list and, with --out, "
        "on the body.\nAn edge a <- b says that joint a gathers features from joint b. Where a network sees bones "
        "alone, a and b\nare bones, named by the joints that they lead to.",
        examples=_examples(
            "actional-graph runs/symgnn_cmu_cpu/best --action walking --data ../shared/data --out pictures/",
            "actional-graph runs/symgnn_cmu_cpu/best --action walking soccer --data ../shared/data --edges 20",
        ),
        add_arguments=_add_graph,
        run=_graph,
    ),
    "tsne": AnalyzeCommand(
        help="Fig. 12: actional graphs of all actions on one map",
        description="Every window's actional graph as a point, similar graphs close together (t-SNE), and the "
        "silhouette score:\n1 where actions stand apart, 0 where they mix. Needs scikit-learn: "
        "pip install 'kinegraph[analysis]'.",
        examples=_examples("tsne runs/symgnn_cmu_cpu/best --data ../shared/data --out pictures/"),
        add_arguments=_add_tsne,
        run=_tsne,
    ),
    "poses": AnalyzeCommand(
        help="Fig. 13: forecast poses below the true ones, every 80 ms",
        description="One window of a protocol: the truth in the first row, then a row for each model with the truth "
        "pale behind,\nand the mean distance of the joints.",
        examples=_examples(
            "poses runs/symgnn_cmu_cpu/best zero-velocity --action walking --data ../shared/data --out pictures/"
        ),
        add_arguments=_add_poses,
        run=_poses,
    ),
}
