"""Pack the built site into one zip file that opens from a disk.

python tools/pack.py _build/html _build/latent-space.zip
"""

import sys
import zipfile
from pathlib import Path

FOLDER = "latent-space"
START = (
    "Open index.html in a browser. Nothing needs a network: search, mathematics and figures too.\n"
)


def pack(site: Path, target: Path) -> None:
    """Write the site into a zip, in one folder, with a note for who opens it.

    Raises:
        FileNotFoundError: when there is no site.
    """
    if not (site / "index.html").is_file():
        raise FileNotFoundError(f"{site} has no index.html: run make book first")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(f"{FOLDER}/README.txt", START)
        for path in sorted(site.rglob("*")):
            if path.is_file() and path.name != ".buildinfo":
                archive.write(path, f"{FOLDER}/{path.relative_to(site).as_posix()}")


def main(site: str, target: str) -> None:
    """Pack and say how large it became."""
    pack(Path(site), Path(target))
    print(f"{target}: {Path(target).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
