"""What is taught: the mean of cells' shares is the position; the loss is least where all that it asks for is right."""

import torch

from lensmodel.networks import NetworkOutput
from lensmodel.networks.evidence_net import STRIDE_PX
from lensmodel.training.images import Batch
from lensmodel.training.losses import cell_shares, larger_fields, loss_of


def test_shares_of_cells_sum_to_one_and_their_mean_is_the_position():
    x_px, y_px = torch.tensor([-3.3, 8.0]), torch.tensor([0.7, -20.0])
    shares = cell_shares(x_px, y_px, size_px=64, rows=16, columns=16)
    assert torch.allclose(shares.sum((1, 2)), torch.ones(2))
    pixel = torch.arange(16) * STRIDE_PX - 31.5
    assert torch.allclose((shares.sum(1) * pixel).sum(1), x_px, atol=1e-4)
    assert torch.allclose((shares.sum(2) * pixel).sum(1), y_px, atol=1e-4)


def test_the_loss_is_least_where_verdict_place_and_lensed_light_are_right():
    lens = torch.tensor([True, False])
    lensed = torch.zeros(2, 64, 64)
    lensed[0, 30:34, 40:44] = 1
    batch = Batch(
        torch.zeros(2, 4, 64, 64), lensed, lens, torch.full((2,), 0.5), torch.full((2,), 0.5), lens | ~lens
    )

    def loss(*, column: int = 8, logit: float = 4, at: int = 10) -> float:
        evidence = torch.zeros(2, 16, 16)
        evidence[0, 8, column] = 9
        light = torch.full((2, 16, 16), -4.0)
        light[0, 8, at] = 4
        return float(
            loss_of(
                NetworkOutput(torch.tensor([float(logit), -float(logit)]), evidence=evidence), light, batch
            )
        )

    assert loss() < loss(column=3)
    assert loss() < loss(logit=-4)
    assert loss() < loss(at=2)


def test_each_image_is_part_of_a_field_with_others_that_are_no_lenses():
    is_lens = torch.tensor([False, True, False, False, True] + [False] * 7)
    evidence = torch.arange(12.0)[:, None, None].expand(12, 2, 3)
    fields = larger_fields(evidence, is_lens).reshape(12, -1, 6)
    assert torch.equal(fields[:, 0], evidence.flatten(1))
    for row, field in enumerate(fields[:, 1:, 0].long().tolist()):
        assert row not in field
        assert len(set(field)) == 8
        assert not is_lens[field].any()
    assert larger_fields(evidence[:9], is_lens[:9]).shape == (9, 6)  # too few to go round


def test_a_lens_must_stand_out_among_the_evidence_of_other_images():
    lens = torch.tensor([True] + [False] * 9)
    place = torch.full((10,), 0.5)
    batch = Batch(torch.zeros(10, 4, 64, 64), torch.zeros(10, 64, 64), lens, place, place, lens | ~lens)

    def loss(elsewhere: float) -> float:
        evidence = torch.full((10, 16, 16), -4.0)
        evidence[0, 8, 8], evidence[3, 2, 2] = 9, elsewhere
        verdict = torch.where(lens, 4.0, -4.0)
        return float(loss_of(NetworkOutput(verdict, evidence=evidence), torch.zeros(10, 16, 16), batch))

    assert loss(-4) < loss(2) < loss(9)
