"""Which device a task computes on, with made-up addresses."""

from __future__ import annotations

import logging

import pytest
import torch

from chronotope.embed.device import choose_device, task_device, task_gpu_addresses
from chronotope.errors import DeviceError


@pytest.mark.parametrize(
    ("wanted", "addresses", "cuda_devices", "expected"),
    [
        ("auto", [], 0, "cpu"),
        ("auto", [], 4, "cpu"),  # a GPU that Spark did not assign is another task's
        ("auto", ["3"], 4, "cuda:3"),
        ("auto", ["2", "0"], 4, "cuda:2"),
        ("cpu", ["0"], 1, "cpu"),
        ("cuda", ["1"], 2, "cuda:1"),
        ("cuda", [], 1, "cuda:0"),
    ],
)
def test_choice(wanted, addresses, cuda_devices, expected):
    assert choose_device(wanted, addresses, cuda_devices) == expected


def test_an_assigned_gpu_that_torch_cannot_see_is_worth_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        assert choose_device("auto", ["0"], cuda_devices=0) == "cpu"
    assert "torch sees none" in caplog.text


@pytest.mark.parametrize(("addresses", "cuda_devices"), [([], 0), (["0"], 0), (["2"], 2)])
def test_a_wanted_gpu_that_is_missing_is_an_error(addresses, cuda_devices):
    with pytest.raises(DeviceError, match=f"torch sees {cuda_devices} .* set embed.device=cpu"):
        choose_device("cuda", addresses, cuda_devices)


def test_the_message_names_the_setting_of_another_stage():
    with pytest.raises(DeviceError, match=r"infer\.device"):
        choose_device("cuda", [], 0, where="infer.device")


def test_outside_of_a_task_there_are_no_addresses():
    assert task_gpu_addresses() == []
    assert task_device("auto") == "cpu"


def test_inside_a_task_without_gpus(spark):
    devices = spark.range(2).mapInPandas(device_of_each, "id long, device string").collect()
    assert {row["device"] for row in devices} == {"cpu"}


def device_of_each(frames):
    for frame in frames:
        yield frame.assign(device=task_device("auto"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(DeviceError):
        task_device("cuda")
