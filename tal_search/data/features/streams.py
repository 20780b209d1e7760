"""Which channels of features are RGB and which flow: methods of two streams read them apart."""

from __future__ import annotations

from collections.abc import Sequence

from tal_search.data.features.layouts import FeatureLayout
from tal_search.data.features.stored import StoredShape
from tal_search.errors import InputError


def known_streams(layout: FeatureLayout, shape: StoredShape | None) -> list[int]:
    """The channels of RGB and of flow, in this order; empty where the layout does not say.

    Layouts that keep the streams apart say it, and one array of as many channels as `layout.joined`. shape: of a file,
    None where none can be read.
    """
    if shape is None:
        return []
    if shape.across < shape.channels:
        return [shape.across, shape.channels - shape.across]
    return [shape.channels // 2] * 2 if shape.channels == layout.joined else []


def both_streams(channels: int, streams: Sequence[int] = ()) -> tuple[int, int]:
    """The channels of RGB and of flow of D `channels`; streams: how many each has, () = half.

    Raises InputError where they do not add up to D.
    """
    rgb, flow = streams or (channels // 2, channels // 2)
    if rgb + flow != channels:
        seen = f"features have {channels} channels, not {rgb} of RGB and {flow} of flow"
        raise InputError(f"{seen}; give dataset.streams")
    return rgb, flow
