"""Tiles repeat without a seam; looks do not tell sides apart."""

import numpy as np
import pytest

from semcorr_lab.synthetic import patterns
from semcorr_lab.synthetic.texture import Skin, paint, sample_tile, solid


@pytest.mark.parametrize("kind", sorted(patterns.KINDS))
def test_patterns_are_in_range_and_deterministic(kind):
    colors = np.array([[0, 0, 0], [1, 1, 1]], np.float32)
    tile, again = (patterns.bake(np.random.default_rng(1), kind, colors) for _ in range(2))
    assert tile.shape == (patterns.TILE, patterns.TILE, 3)
    assert tile.min() >= 0
    assert tile.max() <= 1
    np.testing.assert_array_equal(tile, again)


def test_noise_has_no_seam():
    height = patterns.noise(np.random.default_rng(0))
    inside = np.abs(np.diff(height, axis=0)).max()
    assert np.abs(height[0] - height[-1]).max() <= inside


def test_tile_repeats_and_interpolates():
    tile = np.arange(4, dtype=np.float32).reshape(1, 4, 1)
    u = np.array([0.0, 0.25, 0.375, 1.25, -0.75, 0.875])
    values = sample_tile(tile, np.stack([u, np.zeros(6)], 1))[:, 0]
    np.testing.assert_allclose(values, [0, 1, 1.5, 1, 1, 1.5], atol=1e-6)


def test_texture_follows_object_coordinates():
    rng = np.random.default_rng(0)
    texture = paint(rng, 1.0, "checker")
    points = rng.normal(size=(50, 3)).astype(np.float32)
    normals = np.tile(np.array([[0, 0, 1]], np.float32), (50, 1))
    colors = texture.colors(points, normals)
    np.testing.assert_allclose(texture.colors(points + np.float32([0, 0, 5]), normals), colors, atol=1e-6)
    assert np.ptp(colors, axis=0).max() > 0.05
    np.testing.assert_array_equal(
        solid([0.1, 0.2, 0.3]).colors(points, normals)[7], np.float32([0.1, 0.2, 0.3])
    )


def test_looks_do_not_reveal_the_side():
    points = np.random.default_rng(1).uniform(-1, 1, (400, 3)).astype(np.float32)
    normals = np.tile(np.array([[1, 0, 0]], np.float32), (400, 1))
    left = points[:, 1] > 0
    gaps = []
    for seed in range(60):
        colors = paint(np.random.default_rng(seed), 2.0).colors(points, normals).mean(1)
        gaps.append(colors[left].mean() - colors[~left].mean())
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(len(gaps))


def test_skin_reads_the_texel_of_a_corner():
    image = np.random.default_rng(0).random((4, 8, 3)).astype(np.float32)
    uv = np.array([[[0.5 / 8, 0.5 / 4], [7.5 / 8, 0.5 / 4], [0.5 / 8, 3.5 / 4]]], np.float32)
    colors = Skin(image, uv).colors(np.zeros(3, int), np.array([[0, 0], [1, 0], [0, 1]], np.float32))
    np.testing.assert_allclose(colors, [image[0, 0], image[0, 7], image[3, 0]], atol=1e-5)
