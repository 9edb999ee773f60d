"""Stage train: on a refresh night, models meet on the held-out tail, and the better one makes the tables."""

import datetime as dt
import functools
import sys

from chronotope.cli.jobs import main
from chronotope.embed.weights import model_name
from chronotope.evaluate.gate import decide
from chronotope.evaluate.tail import rank_tail
from chronotope.store.models import keep_model, read_model
from chronotope.store.night import Night
from chronotope.store.rebuild import model_folder_like, read_like
from chronotope.train.candidates import Known, candidates
from chronotope.train.catalogue import catalogue_of
from chronotope.train.contest import contest, contestants, known_catalogue, model_rows, moved, tuning_sample
from chronotope.train.histories import histories, in_no_order
from chronotope.train.refresh import refreshed


def run(night: Night) -> None:
    if night.like:
        take_over(night)
    elif night.is_refresh:
        refresh(night)


def take_over(night: Night) -> None:
    folder = keep_model(night.models_dir, night.date, read_model(model_folder_like(night)))
    night.write("models", moved(read_like(night, "models"), night.below(folder)))
    night.write("ranks", read_like(night, "ranks"))


def refresh(night: Night) -> None:
    settings, tail = night.settings, dt.timedelta(days=night.settings.train.tail_days)
    sessions, items, events = night.read("sessions"), night.read("items"), night.read("events")
    vectors = night.read("item_embeddings").where(f"model = '{model_name(settings.embed)}'")
    steps = night.scratch("histories", in_no_order(histories(sessions, settings.train.history_steps)))
    files = sorted((night.scratch_dir / "histories").glob("*.parquet"))
    now = catalogue_of(items, vectors, sessions, settings, night.end)
    then, early = (known_catalogue(items, vectors, sessions, settings, night.end - age * tail) for age in (1, 2))

    of = contest(night.earlier("models"), settings, night.end, night.date, early is not None)
    known = Known(early, then or now, files, tuning_sample(steps))
    folders = candidates(of, known, settings, night.models_dir, night.scratch_dir)
    load = functools.partial(contestants, list(folders.values()), settings.infer.device)
    ranked = rank_tail(steps, events, items, of.cut, load, settings, night.date)
    night.write("ranks", ranked if then else ranked.limit(0))

    ranks = night.rows("ranks")
    recent = of.recent if of.recent in folders else None
    decision = decide(ranks, of.new, recent, of.counts, settings.evaluate.gate_confidence)
    stored = {model_id: read_model(folder) for model_id, folder in folders.items()}
    folder = keep_model(night.models_dir, night.date, refreshed(stored[decision.model_id], now))
    kinds = {model_id: model.about["kind"] for model_id, model in stored.items()}
    night.write("models", model_rows(ranks, kinds, decision, night.below(folder), settings, night.date))


if __name__ == "__main__":
    sys.exit(main({"train": run}))
