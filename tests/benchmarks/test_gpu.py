"""Without a GPU nothing is measured; what is measured of two tables is right."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.gpu import NO_GPU, agreement, shared
from tests.conftest import ROOT


def test_no_gpu_is_said():
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmarks.gpu"]
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert said.returncode == NO_GPU
    assert "torch sees no GPU on this machine; nothing was measured" in said.stderr


def test_agreement_is_of_equal_keys(spark):
    one = spark.createDataFrame([("a", [1.0, 0.0]), ("b", [3.0, 4.0])], "key string, vector array<float>")
    other = spark.createDataFrame([("b", [4.0, 3.0]), ("a", [2.0, 0.0])], "key string, vector array<float>")

    found = agreement(one, other, "key", "vector")

    assert found == {"rows": 2, "least_cosine": pytest.approx(0.96), "largest_difference": 1.0}


def test_the_share_of_rows_in_both(spark):
    schema = "user_id string, daypart string, region string, item_id string"
    one = spark.createDataFrame([("u", "noon", "r", "i"), ("u", "noon", "r", "j")], schema)
    other = spark.createDataFrame([("u", "noon", "r", "i"), ("u", "night", "r", "j")], schema)

    assert shared(one, other) == 0.5
