"""The profile for large images is chosen where nobody chose otherwise, and where there is room for it."""

from __future__ import annotations

import pytest

from semcorr_ros.serving.large_images import PROFILE, prepare


def test_it_is_chosen_by_default(tmp_path):
    environment: dict[str, str] = {}
    profile = prepare(environment)
    assert profile is not None
    assert profile.is_file()
    assert environment == {"FASTDDS_DEFAULT_PROFILES_FILE": str(profile)}
    assert str(profile).endswith(PROFILE)
    older = {"ROS_DISTRO": "jazzy"}
    prepare(older)
    assert older["FASTRTPS_DEFAULT_PROFILES_FILE"] == str(profile)


@pytest.mark.parametrize(
    "choice",
    [
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
        {"FASTDDS_DEFAULT_PROFILES_FILE": "mine.xml"},
        {"FASTRTPS_DEFAULT_PROFILES_FILE": "mine.xml"},
        {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"},
    ],
)
def test_what_the_user_chose_stays(choice):
    environment = dict(choice)
    assert prepare(environment) is None
    assert environment == choice


def test_a_profile_where_it_was_started_and_no_shared_memory(tmp_path, monkeypatch):
    assert prepare({}, tmp_path / "none") is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DEFAULT_FASTDDS_PROFILES.xml").touch()
    assert prepare({}) is None
