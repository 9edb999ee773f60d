"""Place: distances on the sphere and H3 cells, by whole columns."""

from __future__ import annotations

import h3ronpy.vector
import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

Degrees = npt.NDArray[np.float64]

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG


def haversine_m(lat: Column, lon: Column, to_lat: Column, to_lon: Column) -> Column:
    """Great-circle distance in metres between two points in degrees; null when a coordinate is.

    Sinnott, "Virtues of the haversine", Sky and Telescope 68 (1984): exact for small distances, and the date line
    needs no special case because the sine of half the difference is periodic.
    """
    d_lat, d_lon = F.radians(to_lat - lat), F.radians(to_lon - lon)
    half = F.pow(F.sin(d_lat / 2), 2) + F.cos(F.radians(lat)) * F.cos(F.radians(to_lat)) * F.pow(F.sin(d_lon / 2), 2)
    # `least` skips nulls, so an unknown coordinate would come out as half the way round the world.
    return F.when(half.isNotNull(), 2 * EARTH_RADIUS_M * F.asin(F.least(F.sqrt(half), F.lit(1.0))))


def cells_of(lat: Degrees, lon: Degrees, resolution: int) -> npt.NDArray[np.int64]:
    """H3 cells of whole coordinate columns in degrees, as integers; 0, which is no cell, where out of range or NaN.

    >>> [f"{cell:x}" for cell in cells_of(np.array([40.7, 91.0]), np.array([-74.0, 0.0]), 9)]
    ['892a1072d6bffff', '0']
    """
    valid = (np.abs(lat) <= 90) & (np.abs(lon) <= 180)
    cells = h3ronpy.vector.coordinates_to_cells(np.where(valid, lat, 0.0), np.where(valid, lon, 0.0), resolution)
    return np.where(valid, np.asarray(cells).astype(np.int64), 0)


def with_cells(frame: DataFrame, cell_resolution: int, region_resolution: int) -> DataFrame:
    """Add `cell` and `region_cell`, the H3 cells of `lat` and `lon` at two resolutions; null without coordinates."""

    def both(lat: pd.Series, lon: pd.Series) -> pd.DataFrame:
        degrees = lat.to_numpy(np.float64), lon.to_numpy(np.float64)
        return pd.DataFrame(
            {"fine": cells_of(*degrees, cell_resolution), "coarse": cells_of(*degrees, region_resolution)}
        )

    # Two columns of numbers travel to Python and two back; the text of a cell is its hexadecimal digits.
    # Spark's stubs know no UDF whose kind is told by its annotations.
    cells = pandas_udf(both, "struct<fine:bigint,coarse:bigint>")("lat", "lon")  # type: ignore[call-overload]
    named = frame.withColumn("cells", cells)
    for name, field in (("cell", "cells.fine"), ("region_cell", "cells.coarse")):
        named = named.withColumn(name, F.when(F.col(field) != 0, F.lower(F.hex(field))))
    return named.drop("cells")
