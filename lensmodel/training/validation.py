"""How good a network is on labelled images that it did not learn from, and its calibration on them."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from data.campaign import Campaign
from lensmodel.calibration import fit_agreement, fit_sigma, fit_verdict
from lensmodel.errors import ModelError
from lensmodel.evaluation import auroc, completeness_at, expected_calibration_error, position_error_arcsec
from lensmodel.evaluation.agreement_figures import RIGHT_ARCSEC
from lensmodel.evaluation.metrics import at_another_prior
from lensmodel.explain.agreement import Signs, signs_of
from lensmodel.models import ModelCard, load_network
from lensmodel.networks import NetworkOutput
from lensmodel.networks.evidence_net import STRIDE_PX, EvidenceNet
from lensmodel.training.images import LabelledImages, images_of

PRIOR = 0.5  # the share of lenses for which the verdict is calibrated


@torch.inference_mode()
def judged(
    network: EvidenceNet, images: LabelledImages, *, first_band_alone: bool = False, batch: int = 64
) -> NetworkOutput:
    """The network's output for all images, on the CPU; evidence maps left out.

    first_band_alone : as if no other band had been observed.
    """
    device = network.verdict_shift.device
    outputs = []
    for start in range(0, len(images), batch):
        flux = images.flux[start : start + batch].to(device, torch.float32, copy=True)
        if first_band_alone:
            flux[:, 1:] = torch.nan
        outputs.append(network(network.normalise(flux))._replace(evidence=None))
    joined: list[Any] = [
        torch.cat([output[i] for output in outputs]).cpu() if outputs[0][i] is not None else None
        for i in range(5)
    ]
    return NetworkOutput(*joined)


def measure(network: EvidenceNet, images: LabelledImages) -> dict[str, float]:
    """Figures of merit on labelled images; positions of lenses only.

    On the images of `calibrate` the calibration error and the share within 1 sigma are in-sample: what the fit
    leaves, not what to expect elsewhere.
    """
    output = judged(network, images)
    lens = images.is_lens.numpy()
    p_lens = at_another_prior(output.logit.numpy(), prior=PRIOR, share=float(lens.mean()))
    alone = judged(network, images, first_band_alone=True).logit.numpy()
    error_x, error_y, sigma = _position_errors(network, images, output)
    error = position_error_arcsec(error_x, error_y, 0.0, 0.0)
    return {
        "images": len(images),
        "lenses": int(lens.sum()),
        "auroc": auroc(output.logit.numpy(), lens),
        "auroc_first_band_alone": auroc(alone, lens),
        "completeness_at_1_percent_false": completeness_at(
            output.logit.numpy(), lens, false_positive_rate=0.01
        ),
        "calibration_error": expected_calibration_error(p_lens, lens),
        "position_error_median_arcsec": float(torch.as_tensor(error).median()),
        "position_error_90_percent_arcsec": float(torch.as_tensor(error).quantile(0.9)),
        "position_within_1_sigma_per_axis": float((error_x.abs() < sigma).float().mean()),
    }


def calibrate(network: EvidenceNet, images: LabelledImages) -> None:
    """Set the network's calibration from images that it did not learn from."""
    network.verdict_sharpness.fill_(1.0)
    network.verdict_shift.fill_(0.0)
    output = judged(network, images)
    error_x, error_y, _ = _position_errors(network, images, output)
    near, far, far_share = (value[images.is_lens] for value in _spreads(network, images))
    sharpness, shift = fit_verdict(output.logit, images.is_lens, prior=PRIOR)
    scale, floor = fit_sigma(near, far, far_share, error_x, error_y)
    network.verdict_sharpness.fill_(sharpness)
    network.verdict_shift.fill_(shift)
    network.sigma_scale.fill_(scale)
    network.sigma_floor.fill_(floor / (STRIDE_PX * network.pixel_scale_arcsec))


def with_agreement(card: ModelCard, campaign: Campaign) -> ModelCard:
    """The card with its agreement of where and why fitted anew, on simulations that the model did not learn from.

    Raises
    ------
    ModelError
        If the network has no evidence map, or responds to too few of the images.
    EvaluationError, TrainingError
        If the campaign has no truth, or its cutouts are not what the model takes, all of one size.
    """
    network = load_network(card)
    if not isinstance(network, EvidenceNet):
        raise ModelError(f"{card.title} has no evidence map and no position: it states no where_why")
    agreement = agreement_of(network, images_of(campaign, card.architecture))
    if agreement is None:
        raise ModelError(
            f"{card.title} responds to too few lenses of {campaign.path}, or to too little else there, for a fit: "
            "simulate some thousands of images of the recipe held-out"
        )
    return replace(card, agreement=agreement)


def agreement_of(network: EvidenceNet, images: LabelledImages) -> tuple[float, float, float] | None:
    """What `ModelCard.agreement` is to be, from images that a calibrated network did not learn from.

    None if there are too few responses to fit it on.
    """
    signs, logit, error_arcsec = _signs_and_errors(network, images)
    return fit_agreement(signs, logit, images.is_lens, images.is_lens & (error_arcsec <= RIGHT_ARCSEC))


@torch.inference_mode()
def _signs_and_errors(
    network: EvidenceNet, images: LabelledImages, *, batch: int = 64
) -> tuple[Signs, Tensor, Tensor]:
    """Signs of agreement, logit, and distance from the predicted position to the target, on the CPU."""
    device, scale = network.verdict_shift.device, network.pixel_scale_arcsec
    signs, logits, errors = [], [], []
    for some in torch.arange(len(images)).split(batch):  # type: ignore[no-untyped-call]  # torch leaves it untyped
        flux = images.flux[some].float().to(device)
        output = network(network.normalise(flux))
        found = signs_of(network, output, flux, (flux.shape[2], flux.shape[3]), scale)
        assert found is not None
        assert output.x_arcsec is not None
        assert output.y_arcsec is not None
        signs.append(found)
        logits.append(output.logit.cpu())
        error_x = output.x_arcsec.cpu() - images.x_px[some] * scale
        errors.append(torch.hypot(error_x, output.y_arcsec.cpu() - images.y_px[some] * scale))
    of_map, of_light = (torch.cat(each).cpu() for each in zip(*signs, strict=True))
    return Signs(of_map, of_light), torch.cat(logits), torch.cat(errors)


@torch.inference_mode()
def _spreads(
    network: EvidenceNet, images: LabelledImages, *, batch: int = 64
) -> tuple[Tensor, Tensor, Tensor]:
    """(near, far, far_share) of `evidence_net.Place` for all images, on the CPU."""
    device = network.verdict_shift.device
    places = []
    for start in range(0, len(images), batch):
        flux = images.flux[start : start + batch].float().to(device)
        evidence = network(network.normalise(flux)).evidence
        assert evidence is not None
        places.append(network.place(evidence))
    near, far, far_share = zip(*((place.near, place.far, place.far_share) for place in places), strict=True)
    return torch.cat(near).cpu(), torch.cat(far).cpu(), torch.cat(far_share).cpu()


def _position_errors(
    network: EvidenceNet, images: LabelledImages, output: NetworkOutput
) -> tuple[Tensor, Tensor, Tensor]:
    """Errors in x and y and the stated sigma, arcsec, lenses only."""
    assert output.x_arcsec is not None
    assert output.y_arcsec is not None
    assert output.position_sigma_arcsec is not None
    lens, scale = images.is_lens, network.pixel_scale_arcsec
    error_x = (output.x_arcsec - images.x_px * scale)[lens]
    error_y = (output.y_arcsec - images.y_px * scale)[lens]
    return error_x, error_y, output.position_sigma_arcsec[lens]
