"""The data sets of the project: one entry each, with its known hashes."""

from bench.data import sources
from bench.data.dataset import Dataset
from bench.data.idx import FASHION_MNIST, MNIST
from bench.preprocess import OfficialSplit, RandomSplit

UCI = "UCI, CC BY 4.0"

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "mnist_5k",
            sources.MNIST_5K,
            sha256=(
                "c3aed4dd2f2703a826b35364dee4ef00b452bb58b3b4c1ce2fb484f0bc889c1e",
                "684afa4d8977efbb097b203e2e22c31559824b664a8a04d614844034c664dc52",
            ),
            sizes=(3500, 750, 750),
            licence="MNIST, CC BY-SA 3.0",
            origin="mnist",
        ),
        Dataset(
            "digits",
            sources.DIGITS,
            sha256=(
                "a627aed550b0b29bf76a981bc1ecbab5ef775aac454c94154f20ec9f61a04c83",
                "3a0e68456f9a3c609b399717dd9ca55bb9153be1bccf72e38e3319cb740c75cd",
            ),
            sizes=(1259, 269, 269),
            licence=UCI,
        ),
        Dataset(
            "segment",
            sources.SEGMENT,
            sha256=(
                "de741ddfb3dc7c2883f287763620b6c6156583e109bf37391cc93e29b006ef8b",
                "3bd6f5f3db68e4cf113366fb4111bfa13f361d9a53bfee4e36d9e1172e37b68b",
            ),
            sizes=(1610, 350, 350),
            licence=UCI,
        ),
        Dataset(
            "shuttle",
            sources.SHUTTLE,
            sha256=(
                "b859057d4a3d100da59d3413ae24e46c528f9053fa06d1cd6e92042c26ea9d09",
                "720130d229d95991f5cd6674fc4dcb757f5e64249a60ca73b73a75e005861473",
            ),
            sizes=(34367, 7365, 7365),
            licence=UCI,
        ),
        Dataset(
            "yeast",
            sources.YEAST,
            sha256=(
                "35c1e26f2f4f2e6d376d83ed5492921c9f832ef7df0dee56ef43a375a7399ca8",
                "a5d1335e656c7d62cc0276bc2564bd45be8414a8250bb2240f524d824666933c",
            ),
            sizes=(1691, 363, 363),
            licence="MULAN, none stated",
        ),
        Dataset(
            "breast_cancer",
            sources.BREAST_CANCER,
            sha256=(
                "ace340f3a4f8924791b9c5559e8492e9a896f29b3332f303863c6b46256ad45a",
                "87c312fd4d24bc09c1ae4226107ad639989de53817109dd83465b2af8125f92b",
            ),
            sizes=(397, 86, 86),
            licence=UCI,
        ),
        Dataset(
            "diabetes",
            sources.DIABETES,
            sha256=(
                "364d6af10d06ac7ee663808f0facd92f57b939758169b67fb3e5c2b95521bbd5",
                "64c6aa6f4027afaed70d85b069db7079ab90ff693fe67e65c9550c8454b8f2af",
            ),
            sizes=(310, 66, 66),
            licence="none stated",
        ),
        Dataset(
            "diamonds_price",
            sources.DIAMONDS_PRICE,
            sha256=(
                "14bf3073ad6e01bfa3f16054fdf924b448d5b7ff4d664aee17e2f97220fc46a0",
                "9cb81bedcdb5e467837a2d25abdf5cc20b29285604e7430399718784f02d726f",
            ),
            sizes=(37741, 8088, 8088),
            licence="MIT",
            origin="diamonds",
        ),
        Dataset(
            "diamonds_cut",
            sources.DIAMONDS_CUT,
            sha256=(
                "275a98a235729ab7b82181d6e533bc78d45f0577fd3c774f3b13df9965988eef",
                "5cbb85e7b1ecbcbd6a6cddefb89b29fa39316ab23943c3440a0a94a99839e0ee",
            ),
            sizes=(37743, 8087, 8087),
            licence="MIT",
            origin="diamonds",
        ),
        Dataset(
            "txhousing",
            sources.TXHOUSING,
            sha256=(
                "4ea3c1b18cbebf8ff1233d36e42b61a195ed50e7b6c3ec7c891ec36d3c06a7f6",
                "33e0e3a498d9fbdbdc3566f41b30712da29b8455df54212b7e250df0364871d4",
            ),
            sizes=(5592, 1197, 1197),
            licence="MIT",
            split=RandomSplit(within=0),  # in each city
        ),
        Dataset(
            "dem",
            sources.DEM,
            sha256=(
                "0080ceba30da96ecece10785f22e26bf21496cc188b70cde8c326c75213df68e",
                "2ef55f0d14ac3b2f5a8cbce88eead5c0d61489e7d3d7cfd2364db5e591f68324",
            ),
            sizes=(97042, 20795, 20795),
            licence="origin not stated",
        ),
        Dataset(
            "mnist",
            MNIST,  # which checks the files by their hashes
            checked=True,
            sizes=(60000, 5000, 5000),
            licence="CC BY-SA 3.0",
            split=OfficialSplit(60000),
        ),
        Dataset(
            "fashion_mnist",
            FASHION_MNIST,
            sha256=(
                "de79548c97df5a8eba2609028969bd996820389e21684a8b5596a6071ef64ec6",
                "274b1c9a44d8707c70f650413f1886d9281150bc17eeb55f99afeeba1c788e8c",
            ),
            sizes=(60000, 5000, 5000),
            licence="MIT",
            split=OfficialSplit(60000),
        ),
    )
}
