"""Options back to words, for a verb that runs in a process of its own."""

from __future__ import annotations

import dataclasses

from semcorr_ros.options import spelled


def words_of(*groups: object) -> list[str]:
    """Spell the options of groups that differ from their defaults, as on the command line."""
    words: list[str] = []
    for holder in groups:
        for field in dataclasses.fields(holder):  # type: ignore[arg-type]
            value = getattr(holder, field.name)
            if value == field.default:
                continue
            flag = f"--{spelled(field)}"
            if value is True:
                words.append(flag)
            else:
                values = value if isinstance(value, tuple) else (value,)
                words += [word for one in values for word in (flag, str(one))]
    return words
