"""Next baskets: what is asked, what is known when it is, and what is made of the ranks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks import next_basket
from benchmarks.basket_models import met, predicted
from benchmarks.next_basket import compared, recalls
from benchmarks.shops import Shop
from chronotope.train.blend import yardsticks
from tests.oracles.evaluate import clustered_mean

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2011-06-01 10:00")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A shop of 60 days: 40 customers buy their own two articles and the article of the week every third day."""
    rows = []
    for day in range(60):
        for who in range(day % 3, 40, 3):
            for article in sorted({who % 10, (who + 5) % 10, 10 + day // 7}):
                at = START + day * DAY + pd.Timedelta(minutes=who)
                rows.append(
                    (f"{day:03d}{who:03d}", f"A{article}", f"ARTICLE {article}", 1, at, 2.5, 100.0 + who, "Chad")
                )
    rows.append(("C1", "A0", "ARTICLE 0", -1, START + 59 * DAY, 2.5, 100.0, "Chad"))
    columns = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
    folder = tmp_path_factory.mktemp("data")
    (folder / "online_retail").mkdir()
    frame = pd.DataFrame(rows, columns=columns).astype({"InvoiceDate": "datetime64[us]"})
    frame.to_parquet(folder / "online_retail" / "online_retail.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def log(data, _spark_session, tmp_path_factory):
    return Shop.of("online_retail", data, [], 7).log(_spark_session, tmp_path_factory.mktemp("log"))


def test_the_last_days_are_asked_and_the_days_before_are_tuned_on(log):
    last, first = (pd.Timestamp(at, tz="Europe/London") for at in ("2011-07-30", "2011-07-24"))
    assert log.cut_s == first.timestamp()
    assert log.baskets["day_s"].agg(["min", "max"]).tolist() == [first.timestamp(), last.timestamp()]
    assert log.tuning["day_s"].agg(["min", "max"]).tolist() == [
        (first - 7 * DAY).timestamp(),
        (first - DAY).timestamp(),
    ]


def test_a_basket_is_what_a_user_buys_on_a_day(log):
    expected = {}
    for day in range(53, 60):
        for who in range(day % 3, 40, 3):
            articles = (who % 10, (who + 5) % 10, 10 + day // 7)
            expected[f"online_retail:{100 + who}", day] = sorted({f"online_retail:A{a}" for a in articles})
    days = (pd.to_datetime(log.baskets["day_s"], unit="s") + pd.Timedelta(hours=1)).dt.normalize()
    number = (days - START.normalize()).dt.days
    found = dict(zip(zip(log.baskets["user_id"], number, strict=True), log.baskets["items"], strict=True))
    assert found == expected  # the cancelled article is none


def test_nothing_from_the_cut_on_is_counted(log):
    known = log.known()
    counts = met(known, log.then, log.cut_s)
    steps = np.concatenate(known["occurred_at_s"])
    assert counts.sum() == (steps < log.cut_s).sum() < len(steps)
    assert counts.sum() == log.then.popularity[: len(log.then.dayparts)].sum()


def test_what_is_bought_on_the_day_or_later_changes_no_rank(log):
    of = next(scorer for scorer in yardsticks(log.then) if scorer.model_id == "user_frequency")
    asked = log.baskets[log.baskets["day_s"] == log.baskets["day_s"].min()]
    known = log.known()
    poisoned = known.copy()
    poisoned["item_id"] = [
        np.where(at >= asked["day_s"].iloc[0], "online_retail:A3", items)
        for at, items in zip(known["occurred_at_s"], known["item_id"], strict=True)
    ]
    assert any((a != b).any() for a, b in zip(known["item_id"], poisoned["item_id"], strict=True))
    first, second = (predicted(rows, asked, of, 1, "Europe/London") for rows in (known, poisoned))
    pd.testing.assert_frame_equal(first, second)
    assert len(first) == len(asked) > 0


OURS = [
    (1, "u", 1.0, [1, 20, 10, 11]), (1, "u", 2.0, [2]), (1, "v", 1.0, [9]),
    (2, "u", 1.0, [1, 2, 10, 11]), (2, "u", 2.0, [12]), (2, "v", 1.0, [1]),
]  # fmt: skip
THEIRS = [(1, "u", 1.0, [11, 12, 10, 11]), (1, "u", 2.0, [2]), (1, "v", 1.0, [12])]
PREDICTIONS = pd.DataFrame(
    [
        (name, *row)
        for name in ("chronotope", *next_basket.CLAIMED)
        for row in (OURS if name == "chronotope" else THEIRS)
    ],
    columns=["model", "seed", "user_id", "day_s", "ranks"],
)


def test_the_recall_of_a_basket_is_the_share_of_its_items_found():
    found = recalls(PREDICTIONS, "basket")
    assert found["user_id"].tolist() == ["u", "u", "v"]
    assert found["chronotope"].tolist() == [0.625, 0.5, 1.0]  # means of the seeds
    assert found["user_frequency"].tolist() == [0.25, 1.0, 0.0]


def test_the_recall_of_a_product_is_whether_it_is_found():
    found = recalls(PREDICTIONS, "product")
    assert found["user_id"].tolist() == ["u"] * 5 + ["v"]
    assert found["chronotope"].tolist() == [1.0, 0.5, 1.0, 0.0, 0.5, 1.0]


@pytest.mark.parametrize("asked", ["basket", "product"])
def test_differences_are_paired_and_clustered_by_user(spark, asked):
    found = compared(spark, PREDICTIONS, asked, 0.95)
    rows = recalls(PREDICTIONS, asked)
    pairs = list(zip(rows["user_id"], rows["chronotope"] - rows["user_frequency"], strict=True))
    value, low, high, _ = clustered_mean(pairs, 0.95, bounded=False)
    got = found["difference"]["user_frequency"]
    assert got == pytest.approx({"value": value, "low": low, "high": high}, abs=6e-5)
    assert found["recall@10"]["chronotope"]["value"] == pytest.approx(rows["chronotope"].mean(), abs=6e-5)
    assert found["claim_met"] == (low > 0)


def test_the_program_runs_from_files_to_figures(data, spark, tmp_path, monkeypatch):
    monkeypatch.setattr(next_basket, "open_session", lambda *_: spark)
    monkeypatch.setattr(type(spark), "stop", lambda _: None)
    small = ["--set", "train.epochs=1", "--set", "train.dim=8", "--set", "train.hidden=8"]
    folders = ["--data", str(data), "--out", str(tmp_path), "--results", str(tmp_path)]
    next_basket.main([*folders, "--shops", "online_retail", "--test-days", "7", *small])
    rows = pq.read_table(tmp_path / "predictions.parquet").to_pandas()
    kept = json.loads((tmp_path / "next_basket.json").read_text())["online_retail"]
    names = {"chronotope", "count_blend", "item_neighbours", "popularity", "user_frequency"}
    assert set(rows["model"]) == set(kept["recall@10"]) == names
    assert (rows.groupby("model").size() == kept["baskets"]).all()
    mean = np.mean([np.mean(np.array(r) <= 10) for r in rows.loc[rows["model"] == "user_frequency", "ranks"]])
    assert kept["recall@10"]["user_frequency"]["value"] == pytest.approx(mean, abs=6e-5)
