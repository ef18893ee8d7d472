# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How large the services are made on a given host. Private to this collection."""

from __future__ import annotations

import typing as t


def postgres_settings(memory_mb: int, cpus: int) -> dict[str, str]:
    """Server settings for a PostgreSQL that shares the host with the rest of the stack.

    It may count on a quarter of the memory: half of that for its own cache, the other half for the kernel's, sorts and maintenance.

    :param memory_mb: memory of the host in MiB.
    :param cpus: number of processors of the host.
    :raises ValueError: if either is not positive.
    """
    if memory_mb <= 0 or cpus <= 0:
        raise ValueError(f"memory_mb is {memory_mb} and cpus is {cpus}; both must be positive")
    share = _steady(memory_mb) // 4
    return {
        "shared_buffers": f"{_clamp(share // 2, 128, 16384)}MB",
        "effective_cache_size": f"{max(share, 256)}MB",
        "maintenance_work_mem": f"{_clamp(share // 8, 64, 2048)}MB",
        "work_mem": f"{_clamp(share // 128, 4, 64)}MB",
        "max_connections": "100",
        "max_worker_processes": str(max(cpus, 2)),
        "max_parallel_workers": str(max(cpus, 2)),
        "max_parallel_workers_per_gather": str(_clamp(cpus // 2, 1, 4)),
        "max_wal_size": f"{_clamp(share // 2, 1024, 8192)}MB",
        "random_page_cost": "1.1",
    }


def postgres_arguments(memory_mb: int, cpus: int, settings: t.Mapping[str, t.Any] | None = None) -> list[str]:
    """The settings as arguments of the server, sorted by name.

    :param settings: these win over those chosen for the size.
    :raises ValueError: as postgres_settings().
    """
    merged = {**postgres_settings(memory_mb, cpus), **(settings or {})}
    return [word for name in sorted(merged) for word in ("-c", f"{name}={merged[name]}")]


def mlflow_workers(memory_mb: int, cpus: int) -> int:
    """Worker processes of MLflow: three for each processor, as many as fit an eighth of the memory.

    A worker's threads share one interpreter, so while some of its requests wait for the database, others of it wait for each other. The
    workers share what they have imported: 200 MiB, and some 60 MiB for each of them.

    :raises ValueError: if either is not positive.
    """
    if memory_mb <= 0 or cpus <= 0:
        raise ValueError(f"memory_mb is {memory_mb} and cpus is {cpus}; both must be positive")
    return _clamp((memory_mb // 8 - 200) // 60, 1, min(3 * cpus, 16))


def store_memory(memory_mb: int) -> str:
    """Memory limit of a store of data, PostgreSQL or the object store, as Docker writes it.

    Half of the host: a ceiling that keeps one of them from taking the host down, far above what it works with. What it reads and writes
    on disk counts too, as far as the kernel keeps it in memory, and is given up before anything is killed.

    :raises ValueError: if it is not positive.
    """
    if memory_mb <= 0:
        raise ValueError(f"memory_mb is {memory_mb}; it must be positive")
    return f"{max(_steady(memory_mb) // 2, 1024)}m"


def mlflow_memory(workers: int, job_execution: bool = False) -> str:
    """Memory limit of MLflow as Docker writes it: several times what its processes take, since a request may need a lot for a moment.

    The seven processes of job execution take 1.6 GiB.

    :raises ValueError: if there is no worker.
    """
    if workers <= 0:
        raise ValueError(f"workers is {workers}; it must be positive")
    return f"{1024 + 256 * workers + (3072 if job_execution else 0)}m"


def _steady(memory_mb: int) -> int:
    """What the kernel keeps for itself varies: a few MiB more or less must not make a container anew."""
    return memory_mb // 512 * 512 or memory_mb


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


__all__ = ("mlflow_memory", "mlflow_workers", "postgres_arguments", "postgres_settings", "store_memory")
