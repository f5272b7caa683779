"""How well a predicted position and a map agree: `where_why` in [0, 1]."""

import torch
from torch import Tensor

from lensmodel.explain.receptive_field import flat_layers, map_cells
from lensmodel.networks import LensNetwork, NetworkOutput

NEAR_ARCSEC = 1.0  # about an Einstein radius


def where_why(
    network: LensNetwork, output: NetworkOutput, shape: tuple[int, int], scale_arcsec: float
) -> Tensor | None:
    """Share of the evidence's odds that lie near the predicted position, for each image: (batch,).

    None for a network without position or evidence. shape, scale_arcsec : of the images it saw.
    """
    if output.evidence is None or output.x_arcsec is None or output.y_arcsec is None:
        return None
    cells = map_cells(flat_layers(network.features), shape)
    y, x = (
        (axis.first_px + axis.stride_px * torch.arange(axis.number) - (length - 1) / 2) * scale_arcsec
        for axis, length in zip(cells, shape, strict=True)
    )
    distance = torch.hypot(y[:, None] - output.y_arcsec[:, None, None], x - output.x_arcsec[:, None, None])
    odds = output.evidence.flatten(1).softmax(dim=1)
    return (odds * (distance <= NEAR_ARCSEC).flatten(1)).sum(dim=1)
