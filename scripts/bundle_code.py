"""Zip the library and the jobs' modules for `--py-files`; equal code gives an equal archive, for times are fixed."""

import sys
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)


def bundle(out: Path) -> None:
    """Write the archive of the checkout that this file lies in."""
    checkout = Path(__file__).resolve().parent.parent
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w") as archive:
        for root in (checkout / "lib", checkout / "jobs"):
            for path in sorted(root.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path):
                    info = zipfile.ZipInfo(str(path.relative_to(root)), date_time=EPOCH)
                    archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    bundle(Path(sys.argv[1]))
