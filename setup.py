"""Which folder holds which package; everything else is in pyproject.toml.

`service` and `bench` are installed as `streamq_service` and `streamq_bench`, because top-level names that generic
do not belong in other people's site-packages. Renamed packages cannot be discovered by pyproject.toml alone.
"""

from setuptools import find_packages, setup

FOLDERS = {"streamq": "streamq", "streamq_service": "service", "streamq_bench": "bench"}

setup(
    package_dir=FOLDERS,
    packages=[
        package
        for name, folder in FOLDERS.items()
        for package in (name, *(f"{name}.{inner}" for inner in find_packages(folder)))
    ],
)
