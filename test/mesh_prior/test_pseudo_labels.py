"""Descriptors, candidates, verification, and the stages with files in between."""

import numpy as np
import pytest
import torch
from mesh_pictures import SIZE, flat_features, noisy_features, posed, silhouette, wedge
from PIL import Image

pytest.importorskip("robust_laplacian")

from semcorr_ros.adapter.labels import read_labels
from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.files.mask import read_mask
from semcorr_ros.mesh_prior.candidates import Candidates, cyclic, find_candidates, fuse
from semcorr_ros.mesh_prior.describe import SUFFIX, describe_image, is_described, read_described
from semcorr_ros.mesh_prior.descriptors import DESCRIPTORS
from semcorr_ros.mesh_prior.fine_surface import surface_of
from semcorr_ros.mesh_prior.geodesics import Geodesics
from semcorr_ros.mesh_prior.lifted_view import View, view_of
from semcorr_ros.mesh_prior.mesh_file import write_mesh
from semcorr_ros.mesh_prior.pseudo_label import (
    PAIRS,
    LabelConfig,
    gather,
    is_labelled,
    label_image,
    partners_of,
    verified,
)
from semcorr_ros.mesh_prior.verification import Body, bicyclic_error, sphere_agrees
from semcorr_ros.mesh_prior.view_file import VIEWS, Encoder, is_made, make_view, read_view
from semcorr_ros.mesh_prior.work_folder import CANONICAL, MASKS, WorkFolder
from semcorr_ros.mesh_prior.work_folder import DESCRIPTORS as DESCRIBED
from semcorr_ros.storage import atomic_path

KERNEL = DESCRIPTORS.load("kernel").make({}, {})
NAMES = ("a", "b", "c")
AZIMUTHS = (0.6, 0.9, 0.4)


def made(azimuth, stretch=1.0):
    """View, body, and the canonical place of each cell (shares of the box)."""
    mesh = posed(wedge(stretch), azimuth=azimuth)
    surface, weights = surface_of(mesh, 0.08)
    values = KERNEL(mesh, surface, weights)
    view = view_of(noisy_features(azimuth), silhouette(mesh), mesh, surface, values)
    half = np.ptp(surface.vertices, axis=0) / 2
    place = np.where(view.seen[:, None], surface.vertices[view.vertex] / half, np.nan)
    return view, Body(torch.from_numpy(values), Geodesics(surface, 1.0)), place


@pytest.fixture(scope="module")
def pair():
    return made(0.6), made(0.9, stretch=1.3)


def right(found, places):
    away = np.linalg.norm(places[0][found.source.numpy()] - places[1][found.target.numpy()], axis=1)
    return away < 0.4


def test_the_same_place_of_another_object_is_described_most_alike(pair):
    mesh, other = posed(wedge()), posed(wedge(1.3))
    (a, wa), (b, wb) = surface_of(mesh, 0.08), surface_of(other, 0.08)
    here, there = KERNEL(mesh, a, wa), KERNEL(other, b, wb)
    np.testing.assert_allclose(np.linalg.norm(here, axis=1), 1, atol=1e-5)
    best = (here @ there.T).argmax(1)
    place = [one.vertices / (np.ptp(one.vertices, axis=0) / 2) for one in (a, b)]
    away = np.linalg.norm(place[0] - place[1][best], axis=1)
    assert np.median(away) < 0.15, "vertices are about 0.1 apart"
    left = (np.sign(place[0][:, 1]) == np.sign(place[1][best, 1]))[np.abs(place[0][:, 1]) > 0.3]
    assert left.mean() > 0.97, "sides are told apart"


def test_a_symmetric_body_is_described_by_height_and_radius():
    mesh = posed(wedge())
    surface, weights = surface_of(mesh, 0.2)
    kernel = DESCRIPTORS.load("kernel").make({"symmetric": True, "signature": 0.0}, {})
    turned = mesh.turned(torch.tensor([[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]]))
    first = kernel(mesh, surface, weights)
    second = kernel(turned, *surface_of(turned, 0.2))
    order = lambda values: values[np.lexsort(values.round(4).T)]  # noqa: E731
    np.testing.assert_allclose(order(first), order(second), atol=1e-3)


@pytest.mark.parametrize("values", [{"signature": 2.0}, {"energies": 1}])
def test_a_bad_setting_is_named(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        DESCRIPTORS.load("kernel").make(values, {})


@pytest.mark.parametrize("rows", ["vertices", "faces"])
def test_partfield_s_files_are_of_vertices_or_of_faces(tmp_path, rows):
    mesh = posed(wedge())
    surface, weights = surface_of(mesh, 0.1)
    corners = mesh.vertices.numpy()
    values = corners if rows == "vertices" else corners[mesh.faces.numpy()].mean(1)
    (tmp_path / "thing").mkdir()
    np.save(tmp_path / "thing/part_feat_one_0_batch.npy", values + 2.0)
    partfield = DESCRIPTORS.load("partfield").make({"folder": tmp_path}, {})
    found = partfield(mesh, surface, weights)
    assert found.shape == (len(surface.vertices), 3)
    wanted = (surface.vertices + 2.0) / np.linalg.norm(surface.vertices + 2.0, axis=1, keepdims=True)
    assert np.abs(found - wanted).max() < (1e-4 if rows == "vertices" else 0.25)
    np.save(tmp_path / "thing/part_feat_one_0_batch.npy", values[:-1])
    with pytest.raises(ValueError, match=f"{len(values) - 1} rows.*another mesh"):
        partfield(mesh, surface, weights)
    with pytest.raises(FileNotFoundError, match=r"two\.npy"):
        partfield(posed(wedge(), "two"), surface, weights)


def test_foreground_without_a_mesh_takes_the_nearest_descriptor():
    mesh = posed(wedge())
    surface, weights = surface_of(mesh, 0.1)
    values = KERNEL(mesh, surface, weights)
    mask = silhouette(mesh)
    wider = mask | mask.roll(8, 1)
    view = view_of(flat_features(), wider, mesh, surface, values)
    assert 0.02 < float((~view.seen).float().mean()) < 0.4
    lost = (~view.seen).nonzero()[0, 0]
    away = (view.pixels - view.pixels[lost]).norm(dim=-1)
    nearest = torch.where(view.seen, away, torch.inf).argmin()
    assert torch.allclose(view.descriptors[lost], view.descriptors[nearest])
    with pytest.raises(ValueError, match="nowhere on its mask"):
        view_of(flat_features(), ~mask & (torch.arange(SIZE[1]) < 4), mesh, surface, values)
    with pytest.raises(ValueError, match="empty"):
        view_of(flat_features(), torch.zeros(SIZE, dtype=torch.bool), mesh, surface, values)


def test_weights_enter_similarities_squared():
    a, b = torch.eye(2)[:1], torch.eye(2)[1:]
    one, other = fuse((a, a), (3.0, 4.0)), fuse((a, b), (3.0, 4.0))
    assert float((one * other).sum()) == pytest.approx(9 / 25)


def line(values, side=10.0):
    """A view of cells in a row, ten pixels apart, whose features are directions in a plane."""
    angle = torch.tensor(values)
    features = torch.stack([angle.cos(), angle.sin()], -1)
    pixels = torch.stack([10.0 * torch.arange(len(values)), torch.zeros(len(values))], -1)
    nowhere = torch.full((len(values),), -1)
    return View(pixels, features, features.clone(), nowhere, side)


def test_a_match_is_kept_if_the_way_back_ends_near_its_start():
    source, target = line([0.0, 0.1, 1.0], side=100.0), line([0.02, 1.02])
    found = find_candidates(source, target, (1.0, 0.0))
    assert found.target.tolist() == [0, 0, 1]
    assert found.away.tolist() == [0.0, 10.0, 0.0], "the second comes back to the first"
    assert cyclic(found, source, 0.05).tolist() == [True, False, True]
    assert cyclic(found, source, 0.1).tolist() == [True, True, True], "inclusive"


def test_the_bicyclic_error_is_small_for_right_matches_only(pair):
    (here, body, place), (there, other, wanted) = pair
    found = find_candidates(here, there, (0.0, 1.0))
    error = bicyclic_error(found, (here, there), (body, other))
    good = right(found, (place, wanted))
    assert good.mean() > 0.5
    assert float(error[torch.from_numpy(good)].median()) < 0.06
    draws = torch.Generator().manual_seed(0)
    wrong = Candidates(
        found.source, found.target[torch.randperm(len(found), generator=draws)], *[found.away] * 2
    )
    bad = bicyclic_error(wrong, (here, there), (body, other))
    off = ~right(wrong, (place, wanted))
    assert float(bad[torch.from_numpy(off)].median()) > 0.2
    assert torch.isinf(error[~(here.seen[found.source] & there.seen[found.target])]).all()


def test_the_error_is_the_mean_of_both_ways():
    class Ruler:
        def __init__(self, length):
            self.length = length

        def between(self, sources, targets):
            return np.full(len(sources), self.length)

    views = (line([0.0]), line([0.0]))
    views = tuple(View(v.pixels, v.features, v.descriptors, torch.tensor([0]), v.side) for v in views)
    bodies = tuple(Body(torch.eye(2), Ruler(length)) for length in (0.1, 0.3))
    one = torch.tensor([0])
    found = bicyclic_error(Candidates(one, one, one.float(), one.float()), views, bodies)
    assert found.tolist() == pytest.approx([0.2])


def test_geodesics_keep_what_is_right(pair):
    (here, body, place), (there, other, wanted) = pair
    half = {"features": 1.0, "descriptors": 0.8, "tolerance": 10.0}
    every, errors = verified((here, there), (body, other), LabelConfig(**half, filters=("cyclic",)))
    assert errors.isnan().all()
    kept, errors = verified((here, there), (body, other), LabelConfig(**half))
    assert (errors <= 0.1).all()
    before, after = (right(one, (place, wanted)).mean() for one in (every, kept))
    assert before < 0.8
    assert after > 0.9


def test_the_filter_of_diy_sc_is_an_angle():
    angles = torch.tensor([0.0, 26.9, 27.1]).deg2rad()
    there = torch.stack([angles.cos(), angles.sin(), 0 * angles], -1)
    here = torch.tensor([[1.0, 0.0, 0.0]]).expand(3, 3)
    assert sphere_agrees(here, there).tolist() == [True, True, False]
    with pytest.raises(ValueError, match="needs a file of train_sphere"):
        verified((line([0.0]), line([0.0])), (None, None), LabelConfig(filters=("sphere",)))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"filters": ("magic",)}, "magic"),
        ({"geodesics": "x"}, "'x'"),
        ({"features": 0.0, "descriptors": 0.0}, "0"),
    ],
)
def test_a_bad_configuration_is_named(values, said):
    with pytest.raises(ValueError, match=said):
        LabelConfig(**values)


class Flat(FeatureExtractor):
    """Says the same of every cell."""

    backbone = "flat:0"

    def encode(self, ref):
        return flat_features()


@pytest.fixture
def stage(tmp_path):
    """A work folder with canonical meshes and masks, and its samples."""
    folder = WorkFolder(tmp_path / "work", "thing")
    samples = {}
    for name, azimuth in zip(NAMES, AZIMUTHS, strict=True):
        mesh = posed(wedge(1 + azimuth / 4), name, azimuth)
        write_mesh(folder.file(CANONICAL, name), mesh)
        with atomic_path(folder.file(MASKS, name, ".png")) as temporary:
            Image.fromarray(silhouette(mesh).numpy().astype(np.uint8) * 255).save(temporary)
        path = tmp_path / f"{name}.png"
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(path)
        points = torch.zeros(0, 2)
        samples[name] = AnnotatedImage(name, "thing", path, SIZE, points, points[:, 0] > 0, (0, 0, 1, 1))
    return folder, samples


def run_stages(folder, samples):
    config = LabelConfig(partners=2, matches=30)
    sizes = dict.fromkeys(samples, SIZE)
    for name, sample in samples.items():
        describe_image(folder, name, KERNEL, 0.1)
        make_view(folder, sample, Encoder(Flat()))
    for name in samples:
        label_image(folder, name, sizes, config)
    return gather(folder, list(samples), {"split": "trn"})


def test_the_stages_leave_labels(stage):
    folder, samples = stage
    found = run_stages(folder, samples)
    assert found.count > 60
    assert {one.name for one in found.pictures} == set(NAMES)
    path = folder.root / "thing/pseudo_labels/labels.safetensors"
    before = path.read_bytes()
    kept = read_labels(path)
    assert kept.provenance == {"split": "trn"}
    assert all(len(one) <= 30 and float(one.errors.max()) <= 0.1 for one in kept.matches)
    for one in kept.matches:
        mask = read_mask(folder.file(MASKS, kept.pictures[one.source].name, ".png"), SIZE)
        x, y = one.source_points.round().long().unbind(-1)
        assert mask[y, x].all()
    run_stages(folder, samples)
    assert path.read_bytes() == before, "the same again"


def test_each_stage_knows_what_is_still_valid(stage):
    folder, samples = stage
    run_stages(folder, samples)
    config = LabelConfig(partners=2, matches=30)
    assert is_described(folder, "a", KERNEL, 0.1)
    assert not is_described(folder, "a", KERNEL, 0.2)
    assert is_made(folder, "a", Encoder(Flat()))
    assert not is_made(folder, "a", Encoder(Flat(), None, "sphere"))
    assert is_labelled(folder, "a", NAMES, config)
    assert not is_labelled(folder, "a", NAMES, LabelConfig(partners=1, matches=30))
    write_mesh(folder.file(CANONICAL, "a"), posed(wedge(2.0), "a"))
    assert not is_described(folder, "a", KERNEL, 0.1)
    with pytest.raises(ValueError, match="describes another mesh"):
        read_described(folder, "a")
    describe_image(folder, "a", KERNEL, 0.1)
    assert not is_made(folder, "a", Encoder(Flat()))
    make_view(folder, samples["a"], Encoder(Flat()))
    assert not is_labelled(folder, "b", NAMES, config)


@pytest.mark.parametrize(("kind", "what"), [(DESCRIBED, "describe"), (VIEWS, "view"), (PAIRS, "labels")])
def test_a_damaged_file_is_made_again(stage, kind, what):
    folder, samples = stage
    run_stages(folder, samples)
    path = folder.file(kind, "a", SUFFIX)
    path.write_bytes(path.read_bytes()[:-20])
    reader = {"describe": read_described, "view": read_view}.get(what)
    with pytest.raises(ValueError, match=r"a\.safetensors"):
        read_labels(path) if reader is None else reader(folder, "a")


def test_partners_are_the_same_whoever_else_is_done():
    config = LabelConfig(partners=3)
    names = [f"{i:02d}" for i in range(12)]
    found = partners_of("03", names, config)
    assert found == partners_of("03", names[::-1], config)
    assert len(found) == 3
    assert "03" not in found
    assert partners_of("04", names, config) != found
    assert partners_of("03", ["03"], config) == []


def test_a_mask_of_another_size_is_named(stage):
    folder, samples = stage
    describe_image(folder, "a", KERNEL, 0.1)
    mask = np.zeros((10, 10), np.uint8)
    mask[3:6, 3:6] = 255
    Image.fromarray(mask).save(folder.file(MASKS, "a", ".png"))
    with pytest.raises(ValueError, match=r"a\.png is 10x10 but its image is 128x96"):
        make_view(folder, samples["a"], Encoder(Flat()))
