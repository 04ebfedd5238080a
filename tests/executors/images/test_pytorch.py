"""An image like NVIDIA's with a real PyTorch: that stays what it is, whatever comes on top."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bases
import pytest
from in_images import a_podman_manager, run
from jobs import a_request
from large_bases import PYTORCH

from jupyter_hybrid.errors import ImageError

pytestmark = [pytest.mark.needs(*bases.NEEDS), pytest.mark.timeout(900)]

SOURCE = """
import pandas, torch, torchmetrics
print(torch.__version__, torch.__file__.partition('lib')[0])
print(pandas.__version__, pandas.__file__.startswith('/opt/jupyter-hybrid/environments/'))
right = torchmetrics.functional.accuracy(torch.tensor([1, 0]), torch.tensor([1, 1]), task='binary')
print(torchmetrics.__file__.startswith('/opt/jupyter-hybrid/environments/'), float(right))
"""


async def test_the_image_s_pytorch_stays_and_its_constraints_hold(
    base_image: Callable[[str], str], tmp_path: Path
) -> None:
    manager, image = a_podman_manager(), base_image("pytorch")
    (tmp_path / "requirements.txt").write_text("torch\npandas\ntorchmetrics==1.8.2\n")
    said = await run(manager, tmp_path, SOURCE, image=image)
    assert said.splitlines() == [f"{PYTORCH} /opt/conda/", "2.2.2 True", "True 0.5"]
    # it was not fetched either: PyTorch is nowhere among what was made for the image
    made = [path.name for path in (manager.config.home / "images" / "unpacked").glob("*/opt/*/*/*")]
    assert made and "torch" not in made and "nvidia" not in made

    (tmp_path / "requirements.txt").write_text("torch==2.4.0\n")
    with pytest.raises(ImageError, match=r"asks for torch==2\.4\.0 and the image has torch 2\.13"):
        await manager.submit(a_request(tmp_path, "import torch", image=image))
    # what only goes with another PyTorch is refused in uv's words, and nothing is replaced
    (tmp_path / "requirements.txt").write_text("torchvision==0.19.0\n")
    with pytest.raises(ImageError, match=r"torchvision.*torch==2\.4\.0"):
        await manager.submit(a_request(tmp_path, "import torchvision", image=image))
