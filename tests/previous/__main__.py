"""Write the zip from a tar of a commit, which comes on standard input; `make previous` calls it."""

from __future__ import annotations

import sys
import tarfile
import zipfile

from . import PATH

INSTALLED = {"service": "streamq_service"}
"""Packages that have another name where they are installed: its entry points say that one."""


def main() -> None:
    """Every file, under the name that Python imports it by."""
    with (
        tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar,
        zipfile.ZipFile(PATH, "w") as archive,
    ):
        for member in tar:
            if member.isfile() and (content := tar.extractfile(member)):
                package, _, rest = member.name.partition("/")
                name = zipfile.ZipInfo(
                    f"{INSTALLED.get(package, package)}/{rest}"
                )  # of no date: the same each time
                archive.writestr(name, content.read(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main()
