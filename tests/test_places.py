"""Distances and cells against the definitions and against the H3 library, cell by cell."""

from __future__ import annotations

import math

import h3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from chronotope.places import EARTH_RADIUS_M, cells_of, haversine_m, with_cells

EDGES = [(90.0, 0.0), (-90.0, 123.0), (0.0, 180.0), (0.0, -180.0), (89.99999, -180.0), (51.5, 0.0), (-0.0, -0.0)]
OUTSIDE = [(90.1, 0.0), (0.0, 180.1), (math.nan, 0.0), (0.0, math.inf), (-91.0, -181.0)]


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=1, max_size=30), st.integers(0, 15))
def test_cells_are_those_of_the_h3_library(points, resolution):
    lat, lon = np.array(points).T
    assert [f"{cell:x}" for cell in cells_of(lat, lon, resolution)] == [
        h3.latlng_to_cell(*point, resolution) for point in points
    ]


def test_points_outside_the_globe_have_no_cell():
    lat, lon = np.array(OUTSIDE).T
    assert cells_of(lat, lon, 9).tolist() == [0] * len(OUTSIDE)


def test_no_points_have_no_cells():
    assert cells_of(np.empty(0), np.empty(0), 9).shape == (0,)


def test_frame_gets_both_cells_as_text(spark):
    rows = [*EDGES, *OUTSIDE, (None, None), (1.0, None)]
    frame = with_cells(spark.createDataFrame(rows, "lat double, lon double"), 9, 5).collect()
    assert [(row.cell, row.region_cell) for row in frame[: len(EDGES)]] == [
        (h3.latlng_to_cell(*point, 9), h3.latlng_to_cell(*point, 5)) for point in EDGES
    ]
    assert {(row.cell, row.region_cell) for row in frame[len(EDGES) :]} == {(None, None)}


@pytest.mark.parametrize(
    ("start", "end", "metres"),
    [
        ((0, 0), (0, 0), 0),
        ((0, 179.9), (0, -179.9), EARTH_RADIUS_M * math.radians(0.2)),  # across the date line
        ((90, 0), (90, 123), 0),  # one pole, whatever the longitude
        ((90, 0), (-90, 0), EARTH_RADIUS_M * math.pi),
        ((0, 0), (0, 180), EARTH_RADIUS_M * math.pi),
    ],
)
def test_distance(spark, start, end, metres):
    frame = spark.createDataFrame([(*map(float, start), *map(float, end))], "a double, b double, c double, d double")
    (row,) = frame.select(haversine_m(*map(F.col, "abcd")).alias("metres")).collect()
    assert row.metres == pytest.approx(metres, abs=1e-6)
