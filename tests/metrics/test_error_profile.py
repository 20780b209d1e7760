"""The error profile against its definitions, against scoring the corrected file, and on a published detection file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from tal_search.cli.main import main
from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.truths import lasting
from tal_search.metrics.average_precision import score
from tal_search.metrics.error_profile import ERRORS, KINDS, ErrorProfile, error_profile
from tal_search.trial.evaluate import open_benchmark
from tal_search.types import PROTOCOLS, Annotations, Detections
from tests.support.naive_scorer import Rows, Scored, instance_takes, tIoU
from tests.support.paths import FIXTURES
from tests.support.small_truths import annotations, as_detections, detections, rows, scored

RIGHT, DOUBLE, WRONG_LABEL, LOCALIZATION, CONFUSION, BACKGROUND = KINDS


def right_rows(truth: Rows, found: Scored, strict: bool) -> set[int]:
    """The detections that find an instance: by THUMOS14's rule (strict), where instances choose, or ActivityNet's."""
    ranked = sorted(range(len(found)), key=lambda row: -found[row][4])
    if strict:
        right: set[int] = set()
        for key in {row[:2] for row in found}:
            rows = [row for row in ranked if found[row][:2] == key]
            hits = instance_takes([row for row in truth if row[:2] == key], [found[row] for row in rows], 0.5)
            right |= {row for row, hit in zip(rows, hits, strict=True) if hit}
        return right
    takes: dict[int, int] = {}
    for row in ranked:
        here = [i for i, instance in enumerate(truth) if instance[:2] == found[row][:2] and i not in takes]
        free = [i for i in here if tIoU(truth[i], found[row]) >= 0.5]
        if free:
            takes[max(free, key=lambda i: (tIoU(truth[i], found[row]), i))] = row
    return set(takes.values())


def kinds_of(truth: Rows, found: Scored, strict: bool, unclear: Rows) -> list[str]:
    """One by one, straight from the definitions: "" for what is ignored or of a class without an instance."""
    result = [""] * len(found)
    right = right_rows(truth, found, strict)
    for row, detection in enumerate(found):
        here = [instance for instance in truth if instance[0] == detection[0]]
        if not any(instance[1] == detection[1] for instance in truth):
            continue

        def reaches(value: float, threshold: float) -> bool:
            return value > threshold if strict else value >= threshold

        best = max((tIoU(instance, detection) for instance in here), default=0.0)
        own = any(tIoU(instance, detection) == best and instance[1] == detection[1] for instance in here)
        if row in right:
            result[row] = RIGHT
        elif strict and any(t[0] == detection[0] and tIoU(t, detection) > 0 for t in unclear):
            continue
        elif reaches(best, 0.5):
            result[row] = DOUBLE if own else WRONG_LABEL
        elif reaches(best, 0.1):
            result[row] = LOCALIZATION if own else CONFUSION
        else:
            result[row] = BACKGROUND
    return result


@settings(max_examples=80, deadline=None)
@given(rows(1), scored(), rows(0))
def test_kinds_tops_and_gains_equal_the_definitions(truth: Rows, found: Scored, unclear: Rows) -> None:
    for protocol in PROTOCOLS:
        listed = annotations(unclear) if protocol == "thumos14" else None
        rules: dict[str, Any] = {"subset": "s", "protocol": protocol, "ambiguous": listed}
        profile = error_profile(annotations(truth), detections(found), **rules)
        kinds = kinds_of(truth, found, protocol == "thumos14", unclear)
        tied = [row[0] if protocol == "thumos14" else "" for row in found]
        assert profile.counts == {kind: kinds.count(kind) for kind in KINDS}
        for top in profile.top:
            counts = dict.fromkeys(KINDS, 0)
            for label in {instance[1] for instance in truth}:
                ranked = sorted((-row[4], tied[i], i) for i, row in enumerate(found) if row[1] == label and kinds[i])
                most = top.times * sum(instance[1] == label for instance in truth)
                for _, _, i in ranked[:most]:
                    counts[kinds[i]] += 1
            assert top.counts == counts
            shares = [top.share(kind) for kind in ERRORS]
            assert shares == [None] * 5 or sum(filter(None, shares)) == pytest.approx(1)
        before = score(annotations(truth), detections(found), (0.5,), **rules).mAP[0]
        assert profile.mAP == before
        for kind in ERRORS:
            corrected = detections([row for row, its in zip(found, kinds, strict=True) if its != kind])
            after = score(annotations(truth), corrected, (0.5,), **rules).mAP[0]
            assert profile.gain[kind] == after - before


def test_each_kind_of_error_by_hand() -> None:
    truth = annotations([("u", "a", 0, 10), ("u", "b", 20, 30)])
    found = {
        RIGHT: ("u", "a", 0.0, 10.0, 0.9),
        DOUBLE: ("u", "a", 0.0, 9.0, 0.8),
        WRONG_LABEL: ("u", "a", 20.0, 29.0, 0.7),
        LOCALIZATION: ("u", "a", 8.0, 12.0, 0.6),
        CONFUSION: ("u", "a", 28.0, 32.0, 0.5),
        BACKGROUND: ("u", "a", 50.0, 60.0, 0.4),
    }
    for kind, row in found.items():
        first = [] if kind == RIGHT else [found[RIGHT]]
        counts = error_profile(truth, detections([*first, row]), subset="s").counts
        assert counts == {name: int(name in (RIGHT, kind)) for name in KINDS}


def test_of_equal_overlaps_its_own_class_names_an_error() -> None:
    """In THUMOS14 every cliff dive is a dive too, from the same second to the same second."""
    for labels in ("ab", "ba"):
        truth = annotations([("u", label, 0, 10) for label in labels])
        found = detections([("u", "b", 0, 10, 0.9), ("u", "b", 0, 9, 0.8), ("u", "b", 0, 3, 0.7)])
        counts = error_profile(truth, found, subset="s").counts
        assert (counts[DOUBLE], counts[LOCALIZATION], counts[WRONG_LABEL], counts[CONFUSION]) == (1, 1, 0, 0)


def published(protocol: str) -> tuple[Annotations, Detections, ErrorProfile]:
    files = FIXTURES / "stpn/ground_truth.json", "test", [FIXTURES / "stpn/detections.json"]
    benchmark, (found,) = open_benchmark(*files, protocol=protocol)
    return benchmark.truth, found, error_profile(benchmark.truth, found, subset="test", **benchmark.rules)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_published_file(protocol: str) -> None:
    truth, found, profile = published(protocol)
    assert sum(profile.counts.values()) == 9151
    assert profile.mAP == score(truth, found, (0.5,), subset="test", protocol=protocol).mAP[0]
    assert [top.times for top in profile.top] == list(range(1, 11))
    for top in profile.top:
        assert sum(top.share(kind) or 0 for kind in ERRORS) == pytest.approx(1)
    assert min(profile.gain.values()) > 0
    assert profile.edges == "THUMOS14"
    assert "coverage" not in profile.buckets  # this ground truth has no durations
    for buckets in profile.buckets.values():
        assert sum(bucket.instances for bucket in buckets) == 3311
        missed = sum(bucket.missed for bucket in buckets)
        assert 3311 - profile.counts[RIGHT] <= missed < 3311 - 0.95 * profile.counts[RIGHT]  # few at low precision


def test_ground_truth_as_predictions_has_no_error() -> None:
    require_no_error(read_annotations(FIXTURES / "thumos14/gt_hrpro.json", "Test"), "THUMOS14")


def test_activitynets_ground_truth_as_predictions_has_no_error(shared: Path) -> None:
    path = shared / "data/activitynet/activity_net.v1-2.min.json"
    require_no_error(lasting(read_annotations(path, "validation")), "ActivityNet")


def require_no_error(truth: Annotations, edges: str) -> None:
    profile = error_profile(truth, as_detections(truth), subset="validation")
    assert profile.counts == {**dict.fromkeys(KINDS, 0), RIGHT: len(truth.label)}
    assert profile.edges == edges
    assert set(profile.buckets) == {"length", "coverage", "instances"}
    for bucket in (bucket for buckets in profile.buckets.values() for bucket in buckets):
        assert bucket.missed == 0
        assert bucket.normalized_mAP == (pytest.approx(1) if bucket.instances else None)
    assert profile.top[0].share(BACKGROUND) is None


def test_json_and_parquet_hold_the_same_numbers(tmp_path: Path) -> None:
    import pandas

    _, _, profile = published("activitynet")
    for ending in ("json", "parquet"):
        files = f"detections={FIXTURES}/stpn/detections.json", f"ground_truth={FIXTURES}/stpn/ground_truth.json"
        assert main(["evaluate", *files, "subset=test", "tiou=0.5", f"errors={tmp_path}/errors.{ending}"]) == 0
    content = json.loads((tmp_path / "errors.json").read_text())
    assert content == json.loads(json.dumps(profile.to_json(), allow_nan=False))
    table = pandas.read_parquet(tmp_path / "errors.parquet").set_index(["part", "group", "name"])
    assert len(table) == len(profile.rows()) == 10 * 6 + 5 + 2 * (5 + 4)
    assert table.loc[("false positives", "3G", CONFUSION), "value"] == profile.top[2].share(CONFUSION)
    assert table.loc[("gain", "mAP", BACKGROUND), "value"] == profile.gain[BACKGROUND]
    assert table.loc[("sensitivity", "length", "XL"), "value"] == content["buckets"]["length"][4]["normalized_mAP"]
    assert table.loc[("missed", "length", "XL"), "count"] == content["buckets"]["length"][4]["missed"]
