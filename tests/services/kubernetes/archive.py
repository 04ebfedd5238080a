"""archive.py TREE ARCHIVE NAME CONFIG [ARCHITECTURE]: a directory as a docker archive of one layer.

No container engine is needed for it. CONFIG is the JSON of the image's ``config``.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path


def write_archive(
    tree: Path, archive: Path, name: str, config: dict[str, object], cpu: str
) -> None:
    """Write the archive; owners are root's, times are kept."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        layer = Path(scratch, "layer.tar")
        with tarfile.open(layer, "w") as tar:
            tar.add(tree, ".", filter=_as_root)
        digest = hashlib.sha256()
        with layer.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        image = {
            "architecture": cpu,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest.hexdigest()}"]},
        }
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        with tarfile.open(archive, "w") as tar:
            tar.add(layer, "layer.tar")
            for file_name, content in (("config.json", image), ("manifest.json", manifest)):
                data = json.dumps(content).encode()
                info = tarfile.TarInfo(file_name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def _as_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    tree, archive, name, config, cpu = sys.argv[1:]
    write_archive(Path(tree), Path(archive), name, json.loads(config), cpu)
