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
            name="mocap-folder",
            title="your own 3D recordings through sampled cameras, for lifters (protocol mocap-folder)",
            files="a folder of BVH, AMC with ASF, TRC, C3D, ...; train/, val/, test/ below it if you like",
            licence="yours",
            citation="yours",
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
            prepare=True,
        ),
        DatasetInfo(
            name="everyday",
            title="26 everyday actions: CMU Mocap and procedural motion in short windows (protocol everyday)",
            files="CMU's SUBJECT_CLIP.amc with SUBJECT.asf, or SUBJECT_CLIP.bvh, of subjects 01 to 14, in any folders",
            licence="free for any use",
            citation="mocap.cs.cmu.edu, funded by NSF EIA-0196217",
            prepare=True,
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
        DatasetInfo(
            name="hdm05-11",
            title="HDM05, 11 actions of 5 subjects (protocols hdm05-11, hdm05-11-one)",
            files="hdm05/ with train/<1-11>/*.amc, test/<1-11>/*.amc and HDM_<subject>.asf",
            licence="CC BY-SA 3.0",
            citation="Mueller et al., HDM05, 2007",
            prepare=True,
        ),
        DatasetInfo(
            name="ntu60",
            title="NTU RGB+D, 60 actions (protocols ntu60-xsub, ntu60-xview)",
            files="a folder of *.skeleton files; the list of missing skeletons as --missing",
            licence="not redistributable: academic licence from rose1.ntu.edu.sg/dataset/actionRecognition",
            citation="Shahroudy et al., NTU RGB+D, CVPR 2016",
            prepare=True,
        ),
        DatasetInfo(
            name="ntu120",
            title="NTU RGB+D 120, 120 actions (protocols ntu120-xsub, ntu120-xset)",
            files="a folder of *.skeleton files; the lists of missing skeletons as --missing",
            licence="not redistributable: academic licence from rose1.ntu.edu.sg/dataset/actionRecognition",
            citation="Liu et al., NTU RGB+D 120, TPAMI 2020",
            prepare=True,
        ),
        DatasetInfo(
            name="kinetics-skeleton",
            title="OpenPose keypoints of Kinetics-400 (protocol kinetics-skeleton)",
            files="kinetics_train/*.json, kinetics_val/*.json, kinetics_*_label.json",
            licence="as the videos'",
            citation="Yan et al., ST-GCN, AAAI 2018; Kay et al., Kinetics, 2017",
            prepare=True,
        ),
        DatasetInfo(
            name="pyskl",
            title="PYSKL's annotation pickles of any data set, splits inside (NTU's protocols, or the split's name)",
            files="one .pkl",
            licence="as the recordings'",
            citation="Duan et al., PYSKL, ACM MM 2022",
            prepare=True,
        ),
        DatasetInfo(
            name="ctrgcn",
            title="CTR-GCN's NTU arrays, train and test inside",
            files="one .npz with x_train, y_train, x_test, y_test",
            licence="as the recordings'",
            citation="Chen et al., CTR-GCN, ICCV 2021",
            prepare=True,
        ),
        DatasetInfo(
            name="stgcn",
            title="ST-GCN's arrays of NTU or Kinetics",
            files="a folder with train_data.npy, train_label.pkl, val_data.npy, val_label.pkl",
            licence="as the recordings'",
            citation="Yan et al., ST-GCN, AAAI 2018",
            prepare=True,
        ),
        DatasetInfo(
            name="folder",
            title="your own labelled files in any format (protocol folder)",
            files="<class>/*, or train/<class>/* and test/<class>/*, or index.csv with file,label[,split,subject,...]",
            licence="yours",
            citation="none",
            prepare=True,
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
