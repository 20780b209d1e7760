"""Moments of THUMOS14's ground truth by class, from which simulated timelines are drawn; no instance is copied.

Measured on the 410 videos with instances of BackTAL's ground truth (200 validation, 210 test), each class over the
17 to 31 videos in which it is the main one.
"""

from __future__ import annotations

from dataclasses import dataclass

# Means over the videos of a class: log seconds of the video, log number of its instances, log seconds of an instance.
CLASSES = {
    "BaseballPitch": (4.41, 0.87, 1.16),
    "BasketballDunk": (5.37, 3.18, 0.57),
    "Billiards": (5.08, 1.76, 0.84),
    "CleanAndJerk": (4.83, 1.38, 2.53),
    "CliffDiving": (4.99, 2.25, 1.15),
    "CricketBowling": (4.61, 1.86, 0.50),
    "CricketShot": (4.63, 1.97, 0.28),
    "Diving": (5.18, 2.65, 1.06),
    "FrisbeeCatch": (4.26, 1.65, 1.30),
    "GolfSwing": (4.78, 1.04, 1.81),
    "HammerThrow": (5.80, 2.71, 1.92),
    "HighJump": (5.60, 2.58, 1.62),
    "JavelinThrow": (6.11, 2.75, 1.77),
    "LongJump": (5.46, 2.19, 1.90),
    "PoleVault": (5.83, 2.70, 1.93),
    "Shotput": (4.75, 1.79, 1.55),
    "SoccerPenalty": (4.31, 1.24, 1.00),
    "TennisSwing": (4.56, 2.09, 0.61),
    "ThrowDiscus": (4.67, 1.59, 1.94),
    "VolleyballSpiking": (4.43, 1.97, 0.91),
}
# Between videos of one class: standard deviations around these means, and correlations of seconds with count, seconds
# with length, count with length. Seconds with length is measured as -.03; .12 reproduces the relation between all
# instances and the durations of their videos.
SPREAD = (0.70, 0.97, 0.44)
SECONDS_COUNT, SECONDS_LENGTH, COUNT_LENGTH = 0.63, 0.12, -0.35
LENGTH_WITHIN = 0.44  # standard deviation of log seconds between the instances of one video


@dataclass(frozen=True)
class Companion:
    """A class that is annotated together with a partner class.

    videos: share of the partner's videos that contain it; instances: share of the partner's instances there that it
    accompanies. It starts `after` partner lengths after the partner's start, minus `before` lengths of itself; its
    length is the partner's times a log-normal factor of standard deviation `spread`.
    """

    name: str
    videos: float
    instances: float
    after: float = 0.0
    before: float = 0.0
    spread: float = 0.0


# Every CliffDiving instance is also one of Diving. A bowler's delivery and the shot that follows overlap by 28 % of the
# delivery (median): they share 27 of 40 videos, in which 205 of 286 deliveries and of 267 shots belong together.
COMPANIONS = {
    "CliffDiving": Companion("Diving", videos=1, instances=1),
    "CricketBowling": Companion("CricketShot", videos=0.68, instances=0.74, after=0.72, spread=0.45),
    "CricketShot": Companion("CricketBowling", videos=0.68, instances=0.74, before=0.72, spread=0.45),
}
