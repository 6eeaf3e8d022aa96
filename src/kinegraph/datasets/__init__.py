"""Datasets and benchmarks: one module each, and a table of what there is. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from kinegraph.errors import ConfigError, nearest


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What ``kinegraph data list`` says of a dataset.

    Attributes:
        name: the one commands take.
        title: one line.
        files: what the user must have.
        licence: terms of the recordings.
        citation: what to cite.
        prepare: whether ``kinegraph data prepare`` turns the files into a faster form.
    """

    name: str
    title: str
    files: str
    licence: str
    citation: str
    prepare: bool = False


DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="synthetic-lifting",
            title="procedural motion of several bodies through sampled cameras (embedded, made on first use)",
            files="none",
            licence="Apache-2.0, as the package",
            citation="this package",
        ),
        DatasetInfo(
            name="mocap-lifting",
            title="HDM05 and CMU motion through sampled cameras; tested on HDM05 subjects mm and tr",
            files="a folder with hdm05/, cmu_asfamc/, cmu_bvh/",
            licence="HDM05: CC BY-SA 3.0; CMU: free for any use",
            citation="Mueller et al., HDM05, 2007; mocap.cs.cmu.edu, funded by NSF EIA-0196217",
            prepare=True,
        ),
        DatasetInfo(
            name="h36m",
            title="Human3.6M, 17 joints; train S1 5 6 7 8, test S9 11 (protocols h36m-pixel, h36m-metric)",
            files="data_3d_h36m.npz, and data_2d_h36m_*.npz for detected 2D",
            licence="not redistributable: academic licence from vision.imar.ro/human3.6m",
            citation="Ionescu et al., Human3.6M, TPAMI 2014",
        ),
        DatasetInfo(
            name="3dhp",
            title="MPI-INF-3DHP test set, 6 sequences (protocol 3dhp)",
            files="data_test_3dhp.npz",
            licence="not redistributable: academic licence from vcai.mpi-inf.mpg.de/3dhp-dataset",
            citation="Mehta et al., Monocular 3D Human Pose Estimation In The Wild, 3DV 2017",
        ),
        DatasetInfo(
            name="cmu-8",
            title="CMU Mocap, eight actions (protocols cmu-euler-64, cmu-euler-std, cmu-mpjpe, cmu-8)",
            files="cmu_mocap_8actions/ with train/<action>/*.txt and test/<action>/*.txt",
            licence="free for any use",
            citation="mocap.cs.cmu.edu, funded by NSF EIA-0196217",
        ),
        DatasetInfo(
            name="h36m-angles",
            title="Human3.6M exponential maps; train S1 6 7 8 9 11, test S5 (protocol h36m-euler)",
            files="S1/ ... S11/ with <action>_1.txt and <action>_2.txt",
            licence="not redistributable: academic licence from vision.imar.ro/human3.6m",
            citation="Ionescu et al., Human3.6M, TPAMI 2014; exponential maps as of Jain et al., CVPR 2016",
        ),
        DatasetInfo(
            name="ntu-forecasting",
            title="NTU RGB+D, the ten frames after forty (protocol ntu-pck)",
            files="a folder of *.skeleton files",
            licence="not redistributable: academic licence from rose1.ntu.edu.sg/dataset/actionRecognition",
            citation="Shahroudy et al., NTU RGB+D, CVPR 2016",
        ),
    )
}


def dataset_info(name: str) -> DatasetInfo:
    """The entry of one dataset.

    Raises:
        ConfigError: there is none of that name; the nearest is named.
    """
    if name not in DATASETS:
        raise ConfigError(f"unknown dataset '{name}'{nearest(name, DATASETS)}; there are {', '.join(DATASETS)}")
    return DATASETS[name]
