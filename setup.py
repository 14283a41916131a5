"""Which folder holds which package; everything else is in pyproject.toml.

`service` and `bench` are installed as `streamq_service` and `streamq_bench`: names that generic do not
belong at the top of other people's site-packages. pyproject.toml alone cannot discover renamed packages.
"""

from setuptools import find_packages, setup

FOLDERS = {"streamq": "streamq", "streamq_service": "service", "streamq_bench": "bench"}
CHECKOUT_ALONE = ("peers", "peers.*")
"""Packages that are not installed: the adapters of other systems, which `make peers` installs into a checkout."""

setup(
    package_dir=FOLDERS,
    packages=[
        package
        for name, folder in FOLDERS.items()
        for package in (name, *(f"{name}.{inner}" for inner in find_packages(folder, exclude=CHECKOUT_ALONE)))
    ],
)
