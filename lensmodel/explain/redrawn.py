"""Networks whose weights were drawn anew, for the check of Adebayo et al. 2018, NeurIPS, arXiv:1810.03292.

A map that does not change with the weights says nothing of what the network has learned.
"""

import torch
from torch import Tensor, nn

from lensmodel.checkpoint import load_weights
from lensmodel.models import ModelCard, network_class
from lensmodel.networks import LensNetwork


def redrawn(card: ModelCard, images: Tensor, *, kept: int = 0, seed: int) -> LensNetwork:
    """The network of a card with all but its lowest `kept` layers of weights as its architecture begins them.

    images : (object, band, y, x) normalised, from which batch normalisation takes its statistics anew.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh, network = (
            network_class(card.architecture)(
                bands=len(card.bands), pixel_scale_arcsec=card.pixel_scale_arcsec
            )
            for _ in range(2)
        )
    load_weights(network, card.weights_path)
    network.eval()
    pairs = list(zip(layers_with_weights(network), layers_with_weights(fresh), strict=True))
    for layer, new in pairs[kept:]:
        layer.load_state_dict(new.state_dict())
    _estimate_statistics(network, [layer for layer, _ in pairs[kept:]], images)
    return network


def redrawn_by_depth(card: ModelCard, images: Tensor, *, seed: int) -> dict[str, LensNetwork]:
    """Redrawn from the top down to three depths, by the name of the correlation in `Measures`."""
    with torch.device("meta"):
        network = network_class(card.architecture)(
            bands=len(card.bands), pixel_scale_arcsec=card.pixel_scale_arcsec
        )
    number = len(layers_with_weights(network))
    kept = {"rho": 0, "rho_upper": number // 2, "rho_verdict": len(layers_with_weights(network.features))}
    return {name: redrawn(card, images, kept=lowest, seed=seed) for name, lowest in kept.items()}


def layers_with_weights(network: nn.Module) -> list[nn.Module]:
    """From the image up."""
    return [layer for layer in network.modules() if next(layer.parameters(recurse=False), None) is not None]


@torch.no_grad()
def _estimate_statistics(network: LensNetwork, layers: list[nn.Module], images: Tensor) -> None:
    norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a mean over what it is shown
        norm.train()
    if norms:
        network(images)
    network.eval()
