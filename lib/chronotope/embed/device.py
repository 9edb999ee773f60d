"""Which device a worker computes on: the settings' wish, met with what Spark gave the task."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import torch
from pyspark import TaskContext

from chronotope.errors import DeviceError

log = logging.getLogger(__name__)


def choose_device(
    wanted: Literal["auto", "cpu", "cuda"], gpu_addresses: Sequence[str], cuda_devices: int, where: str = "embed.device"
) -> str:
    """The name of a torch device: `cpu`, or `cuda:<address>` with the first address that Spark gave the task.

    `auto` takes a GPU only where Spark assigned one, so that tasks without one do not crowd onto the first. `cuda`
    without an assignment takes the first GPU: Spark's local mode assigns none.

    >>> choose_device("auto", ["1"], cuda_devices=2), choose_device("auto", [], cuda_devices=2)
    ('cuda:1', 'cpu')

    Raises:
        DeviceError: when `cuda` is wanted and torch sees no GPU, or the address is not among those that it sees.

    """
    if wanted == "cpu" or (wanted == "auto" and not gpu_addresses):
        return "cpu"
    if cuda_devices == 0 and wanted == "auto":
        log.warning("Spark assigned a GPU to the task but torch sees none; computing on the CPU instead")
        return "cpu"
    address = int(gpu_addresses[0]) if gpu_addresses else 0
    if address >= cuda_devices:
        raise DeviceError(
            f"{where} = {wanted}: GPU {address} was asked for and torch sees {cuda_devices} on this machine; "
            f"set {where}=cpu, or install a CUDA build of torch on the workers and check the GPU discovery script"
        )
    return f"cuda:{address}"


def task_device(wanted: Literal["auto", "cpu", "cuda"], where: str = "embed.device") -> str:
    """The device for the Spark task that runs now (or for this process, outside of Spark); see `choose_device`."""
    return choose_device(wanted, task_gpu_addresses(), torch.cuda.device_count(), where)


def task_gpu_addresses() -> list[str]:
    """The GPU addresses that Spark assigned to the task that runs now; none outside of a task."""
    task = TaskContext.get()
    resources = task.resources() if task else {}
    return list(resources["gpu"].addresses) if "gpu" in resources else []
