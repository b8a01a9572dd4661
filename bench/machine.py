"""What the figures were measured on: they are worth little without it."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = (
    "PySide6-Essentials",
    "sqlcipher3",
    "sqlite-utils",
    "cryptography",
    "pydantic",
    "nfcpy",
    "zxing-cpp",
    "opencv-python-headless",
    "requests",
    "fastapi",
    "uvicorn",
)


def facts() -> dict[str, Any]:
    """Processor, cores, memory, kernel, Python and the versions of the libraries that matter."""
    return {
        "cpu": _field(Path("/proc/cpuinfo"), "model name"),
        "cores": os.cpu_count(),
        "memory": _field(Path("/proc/meminfo"), "MemTotal"),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "python": sys.version.split()[0],
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "sqlcipher": _sqlcipher(),
    }


def busyness() -> dict[str, str]:
    """How busy the machine is with other things: load averages and the share of time processes wait."""
    load = " ".join(f"{part:.2f}" for part in os.getloadavg())
    try:
        pressure = Path("/proc/pressure/cpu").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        pressure = ""  # a kernel without pressure stall information
    return {"load": load, "cpu_pressure": pressure}


class CpuWait:
    """Share of the time between its start and ``percent`` in which some process waited for a processor."""

    def __init__(self) -> None:
        self._begun = self._totals()

    def percent(self) -> float | None:
        """None where the kernel does not say."""
        now = self._totals()
        if self._begun is None or now is None or now[1] == self._begun[1]:
            return None
        return 100.0 * (now[0] - self._begun[0]) / (now[1] - self._begun[1])

    @staticmethod
    def _totals() -> tuple[float, float] | None:
        """Microseconds of waiting (kernel documentation: accounting/psi) and of time, both in all."""
        try:
            line = Path("/proc/pressure/cpu").read_text(encoding="ascii").splitlines()[0]
            up_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        except OSError:
            return None
        return float(line.rsplit("total=", 1)[1]), up_s * 1e6


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _field(path: Path, name: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _sqlcipher() -> str:
    import sqlcipher3.dbapi2

    connection = sqlcipher3.dbapi2.connect(":memory:")
    try:
        return str(connection.execute("PRAGMA cipher_version").fetchone()[0])
    finally:
        connection.close()
