import torch
from lab.training.fabricated import table_sample

from semcorr_lab.training.tiny_augment import IGNORE, make_batch


def _batch(seed, count=4):
    samples = [table_sample(i) for i in range(count)]
    return make_batch(samples, 128, 16, torch.Generator().manual_seed(seed))


def test_shapes_and_ranges():
    batch = _batch(0)
    assert batch.images.shape == (4, 3, 128, 128)
    assert batch.name.shape == (4, 16, 16)
    assert batch.local.shape == (4, 16, 16, 3)
    assert batch.images.min() >= 0
    assert batch.images.max() <= 1


def test_same_generator_state_same_batch():
    first, second, other = _batch(3), _batch(3), _batch(4)
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.name, second.name)
    assert not torch.equal(first.images, other.images)


def test_cells_keep_to_parts_background_and_ignored():
    names = {int(name) for seed in range(20) for name in _batch(seed).name.unique()}
    assert names == {IGNORE, -1, 0, 1}


def test_samples_are_not_changed():
    sample = table_sample(0)
    before = sample.image.clone(), sample.name.clone()
    make_batch([sample], 128, 16, torch.Generator().manual_seed(0))
    assert torch.equal(before[0], sample.image)
    assert torch.equal(before[1], sample.name)
