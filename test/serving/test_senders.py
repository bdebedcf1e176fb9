"""Two publishers that alternate are told from one that has replaced another."""

from __future__ import annotations

from semcorr_ros.serving.senders import REMEMBERED, Senders


def after(order: str) -> set[bytes]:
    senders = Senders()
    for one in order:
        senders.note(one.encode())
    return senders.alternating()


def test_one_alone_and_one_after_the_other():
    assert after("") == after("aaaa") == after("aaabbbb") == after("aabbcc") == set()


def test_two_by_turns():
    assert after("aba") == {b"a", b"b"}
    assert after("aaabbbabb") == {b"a", b"b"}


def test_what_is_long_ago_is_forgiven():
    assert after("aba" + "a" * REMEMBERED) == set()
