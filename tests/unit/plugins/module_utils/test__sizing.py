# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.opengeoai.hub.plugins.module_utils._sizing import (
    mlflow_memory,
    mlflow_workers,
    postgres_arguments,
    postgres_settings,
    store_memory,
)


@pytest.mark.parametrize(
    ("memory_mb", "cpus", "expected"),
    [
        (
            512,
            6,
            {
                "shared_buffers": "128MB",
                "effective_cache_size": "256MB",
                "maintenance_work_mem": "64MB",
                "work_mem": "4MB",
                "max_worker_processes": "6",
                "max_parallel_workers": "6",
                "max_parallel_workers_per_gather": "3",
                "max_wal_size": "1024MB",
            },
        ),
        (
            1024,
            1,
            {
                "shared_buffers": "128MB",
                "effective_cache_size": "256MB",
                "maintenance_work_mem": "64MB",
                "work_mem": "4MB",
                "max_worker_processes": "2",
                "max_parallel_workers": "2",
                "max_parallel_workers_per_gather": "1",
                "max_wal_size": "1024MB",
            },
        ),
        (
            16384,
            4,
            {
                "shared_buffers": "2048MB",
                "effective_cache_size": "4096MB",
                "maintenance_work_mem": "512MB",
                "work_mem": "32MB",
                "max_worker_processes": "4",
                "max_parallel_workers": "4",
                "max_parallel_workers_per_gather": "2",
                "max_wal_size": "2048MB",
            },
        ),
        (
            1048576,
            64,
            {
                "shared_buffers": "16384MB",
                "effective_cache_size": "262144MB",
                "maintenance_work_mem": "2048MB",
                "work_mem": "64MB",
                "max_worker_processes": "64",
                "max_parallel_workers": "64",
                "max_parallel_workers_per_gather": "4",
                "max_wal_size": "8192MB",
            },
        ),
    ],
)
def test_postgres_settings(memory_mb: int, cpus: int, expected: dict[str, str]) -> None:
    assert postgres_settings(memory_mb, cpus) == {**expected, "max_connections": "100", "random_page_cost": "1.1"}


def test_the_smallest_host_has_settings() -> None:
    assert postgres_settings(1, 1)["shared_buffers"] == "128MB"


@given(st.integers(min_value=1024, max_value=2**21), st.integers(min_value=1, max_value=256))
def test_postgres_leaves_most_of_the_memory_to_others(memory_mb: int, cpus: int) -> None:
    settings = {key: int(value[:-2]) for key, value in postgres_settings(memory_mb, cpus).items() if value.endswith("MB")}
    assert settings["shared_buffers"] <= max(memory_mb // 8, 128)
    assert settings["shared_buffers"] <= settings["effective_cache_size"] <= max(memory_mb // 4, 256)
    assert settings["work_mem"] < settings["maintenance_work_mem"] <= settings["shared_buffers"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [(None, "work_mem=32MB"), ({}, "work_mem=32MB"), ({"work_mem": "1GB"}, "work_mem=1GB"), ({"jit": "off"}, "jit=off")],
)
def test_postgres_arguments(settings: dict[str, Any] | None, expected: str) -> None:
    arguments = postgres_arguments(16384, 4, settings)
    assert set(arguments[::2]) == {"-c"}
    assert expected in arguments[1::2]
    assert arguments[1::2] == sorted(arguments[1::2])
    assert len(arguments[1::2]) == len({word.split("=")[0] for word in arguments[1::2]})


@pytest.mark.parametrize(
    ("memory_mb", "cpus", "expected"),
    [
        (1, 1, 1),
        (1024, 8, 1),
        (2552, 8, 1),
        (2560, 8, 2),
        (4096, 2, 5),
        (3500, 1, 3),
        (3500, 8, 3),
        (16384, 1, 3),
        (16384, 2, 6),
        (16384, 4, 12),
        (1048576, 64, 16),
    ],
)
def test_mlflow_workers(memory_mb: int, cpus: int, expected: int) -> None:
    # A whole number, which becomes an argument of a program.
    assert str(mlflow_workers(memory_mb, cpus)) == str(expected)


@pytest.mark.parametrize(
    ("memory_mb", "expected"),
    [(1, "1024m"), (100, "1024m"), (1900, "1024m"), (3900, "1792m"), (4096, "2048m"), (4607, "2048m"), (24576, "12288m")],
)
def test_store_memory(memory_mb: int, expected: str) -> None:
    assert store_memory(memory_mb) == expected


@given(st.integers(min_value=3500, max_value=2**21), st.integers(min_value=1, max_value=256))
def test_postgres_has_room_in_its_limit(memory_mb: int, cpus: int) -> None:
    settings = {key: int(value[:-2]) for key, value in postgres_settings(memory_mb, cpus).items() if value.endswith("MB")}
    # Its cache, and half of all connections sorting at once.
    taken = settings["shared_buffers"] + 50 * settings["work_mem"] + settings["maintenance_work_mem"]
    assert taken <= int(store_memory(memory_mb)[:-1])


@pytest.mark.parametrize(("arguments", "expected"), [((1,), "1280m"), ((6,), "2560m"), ((8, False), "3072m"), ((2, True), "4608m")])
def test_mlflow_memory(arguments: tuple[Any, ...], expected: str) -> None:
    assert mlflow_memory(*arguments) == expected


@pytest.mark.parametrize(
    ("function", "value", "message"),
    [
        (store_memory, 0, "memory_mb is 0; it must be positive"),
        (store_memory, -2048, "memory_mb is -2048; it must be positive"),
        (mlflow_memory, 0, "workers is 0; it must be positive"),
        (mlflow_memory, -2, "workers is -2; it must be positive"),
    ],
)
def test_limits_are_of_something(function: Any, value: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(value)


@pytest.mark.parametrize("function", [postgres_settings, postgres_arguments, mlflow_workers])
@pytest.mark.parametrize(("memory_mb", "cpus"), [(0, 2), (-1, 2), (4096, 0), (4096, -1)])
def test_sizes_must_be_positive(function: Any, memory_mb: int, cpus: int) -> None:
    message = f"memory_mb is {memory_mb} and cpus is {cpus}; both must be positive"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(memory_mb, cpus)
