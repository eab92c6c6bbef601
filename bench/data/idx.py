"""MNIST and Fashion-MNIST, through the public interface of tensorflow-datasets and without tensorflow.

TFDS's own builders need tensorflow to unpack files and to encode images, so these data sets are built by a small
builder of ours: plain arrays as features, the idx files (LeCun's format: a header of sizes, then bytes) read with
gzip and NumPy, the rows under the same keys and so in the same order as TFDS's own. What a folder of TFDS holds ready
is read as it is. The places where a data set is looked for, in turn:

    each folder in $OPTGRID_DATA, then $TFDS_DATA_DIR or ~/tensorflow_datasets, then where Debian's package puts it:
        the four idx files, packed or not, there or in a folder of the data set's name
        NAME/VERSION of TFDS in the array_record format, as others take tensorflow to read; for a data set whose
        arrays have a declared hash, as such a folder does not have the files that could be checked instead
    the network, by TFDS's download manager with the sizes and checksums that TFDS knows
"""

import gzip
import hashlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import paths
from bench.errors import Unavailable, UserError
from bench.files import explain

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
PATIENCE_S = 3.0  # for a first answer of the network
NAMES = [file for pair in FILES.values() for file in pair]
Found = Mapping[str, Path]  # by name in NAMES


@dataclass(frozen=True)
class Idx:
    """One of the two data sets.

    Attributes:
      name: TFDS's name of it.
      folders: what its folder is called by those who keep several.
      content: SHA-256 of the four unpacked files, in the order of NAMES; packing anew changes files, not content.
      debian: the package that has it, if one does.
      system: where that package puts it.
      ready: whether folders that TFDS has ready are read.
    """

    name: str
    folders: tuple[str, ...]
    content: tuple[str, ...]
    debian: str = ""
    system: Path | None = None
    ready: bool = True
    credit: str = "tensorflow-datasets"

    def missing(self) -> str:
        """Empty if a place on this machine has it; else where it could come from."""
        for place in self._places():
            if _idx_files(place, self.folders) or self._prepared(place):
                return ""
        return self._remedy()

    def _remedy(self) -> str:
        package = f", or install the Debian package {self.debian}" if self.debian else ""
        return (
            f"it is not on this machine; run once with a network{package}, or put its four idx files "
            f"({NAMES[0]} and so on) into a folder and name that in OPTGRID_DATA"
        )

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """x uint8 (rows, pixels) and y int32 (rows,), training rows then test rows, each in TFDS's order.

        Raises:
          Unavailable: no place has it and the network cannot be reached.
          UserError: a file is not what it should be, or the disk is full.
        """
        for place in self._places():
            if files := _idx_files(place, self.folders):
                self._check(files)
                return self._built(files)
            if versions := self._prepared(place):
                with _quiet() as tfds:
                    return _arrays(tfds.builder_from_directory(str(versions[0])))
        try:
            return self._built(None)
        except Unavailable as error:
            raise Unavailable(f"{self._remedy()} ({error})") from error

    def _places(self) -> Iterator[Path]:
        for folder in os.environ.get("OPTGRID_DATA", "").split(os.pathsep):
            if folder:
                yield Path(folder).expanduser()
        yield Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets")
        if self.system is not None:
            yield self.system

    def _prepared(self, place: Path) -> list[Path]:
        """Whole versions of the data set that TFDS has ready in a place and can be read, the newest first."""
        if not self.ready:
            return []
        versions = {file.parent for file in place.glob(f"{self.name}/*/*.array_record*")}
        return sorted((folder for folder in versions if (folder / "dataset_info.json").exists()), reverse=True)

    def _check(self, files: Found) -> None:
        for name, expected in zip(NAMES, self.content, strict=True):
            path = files[name]
            if hashlib.sha256(_unpacked(path)).hexdigest() != expected:
                raise UserError(f"{path} is not that of {self.name} (its SHA-256 differs); fetch it anew or remove it")

    def _built(self, files: Found | None) -> tuple[np.ndarray, np.ndarray]:
        """The arrays by way of a TFDS folder built from files, or from the network, and then removed."""
        paths.cache().mkdir(parents=True, exist_ok=True)
        with _quiet() as tfds, tempfile.TemporaryDirectory(dir=paths.cache(), prefix="tfds-") as folder:
            import requests

            builder = _builder(tfds, self.name, files, folder)
            try:
                for url in list(builder.url_infos)[:1]:
                    requests.head(url, timeout=PATIENCE_S)  # TFDS would wait for minutes where nobody answers
                builder.download_and_prepare(
                    download_dir=folder, file_format=tfds.core.file_adapters.FileFormat.ARRAY_RECORD
                )
            except tfds.download.download_manager.NonMatchingChecksumError as error:
                raise UserError(
                    f"what was fetched for {self.name} is not what TFDS knows: {_line(error)}; try again later"
                ) from error
            except (requests.exceptions.RequestException, tfds.download.DownloadError) as error:
                raise Unavailable(f"the network failed: {type(error).__name__}") from error
            except OSError as error:
                raise UserError(explain(error, Path(folder))) from error
            return _arrays(builder)


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _idx_files(place: Path, folders: tuple[str, ...]) -> Found:
    """The four files of a data set in a place; empty if it does not have all of them."""
    for folder in (*(place / name for name in folders), place):
        there = {
            name: path for name in NAMES for ending in ("", ".gz") if (path := folder / f"{name}{ending}").is_file()
        }
        if len(there) == len(NAMES):
            return there
    return {}


def _unpacked(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise UserError(f"{path} cannot be read ({error}); fetch it anew or remove it") from error


def _parsed(path: Path) -> np.ndarray:
    """The uint8 array of an idx file: two bytes of nothing, a type, the number of axes, each axis as a big-endian
    int32, then the values."""
    content = _unpacked(path)
    axes = content[3]
    shape = np.frombuffer(content, ">i4", axes, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _builder(tfds: Any, called: str, files: Found | None, folder: str) -> Any:
    """A TFDS builder of idx files: those given, else those that TFDS's builder of that name would download."""
    known = tfds.builder_cls(called).url_infos if files is None else {}

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[misc,call-arg]  # no types there
        """One split of images and labels for each pair of files."""

        name = called
        VERSION = tfds.core.Version("1.0.0")
        url_infos = known

        def _info(self) -> Any:
            image = tfds.features.Tensor(shape=(28, 28), dtype=np.uint8)
            features = tfds.features.FeaturesDict({"image": image, "label": tfds.features.ClassLabel(num_classes=10)})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager: Any) -> Any:
            there = files or dl_manager.download(
                {file: url for url in self.url_infos for file in NAMES if url.endswith(f"/{file}.gz")}
            )
            return {split: self._generate_examples(*(there[file] for file in pair)) for split, pair in FILES.items()}

        def _generate_examples(self, images: Any, labels: Any) -> Any:
            for index, (image, label) in enumerate(zip(_parsed(Path(images)), _parsed(Path(labels)), strict=True)):
                yield index, {"image": image, "label": int(label)}

    return Builder(data_dir=folder)


def _arrays(builder: Any) -> tuple[np.ndarray, np.ndarray]:
    parts = []
    for split in FILES:
        source = builder.as_data_source(split=split)
        rows = source.__getitems__(range(len(source)))
        if len(rows) != builder.info.splits[split].num_examples:
            raise UserError(f"{builder.data_dir} is damaged: {split} has {len(rows)} rows; remove it")
        images = np.stack([np.asarray(row["image"], np.uint8).reshape(-1) for row in rows])
        parts.append((images, np.asarray([row["label"] for row in rows], np.int32)))
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return x, y


@contextmanager
def _quiet() -> Iterator[Any]:
    """tensorflow_datasets, imported here as that takes seconds, without what it prints and without its retries."""
    nowhere = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
        warnings.simplefilter("ignore")  # third parties' own
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.download import downloader

        tfds.disable_progress_bar()
        downloader.MAX_RETRIES = 0  # else an offline machine is told so after three minutes
        loggers = [logging.getLogger(name) for name in ("absl", "tensorflow_datasets")]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield tfds
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


MNIST = Idx(
    "mnist",
    ("mnist", "MNIST/raw", "MNIST"),
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    ready=False,
)
FASHION_MNIST = Idx(
    "fashion_mnist",
    ("fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
    (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    "dataset-fashion-mnist",
    Path("/usr/share/datasets/fashion-mnist"),
)
