"""`chronotope show USER`: interests and lists, for those who are known and those who are not."""

from __future__ import annotations

import pytest

from chronotope.cli.show import Wanted, show
from chronotope.errors import UsageError
from chronotope.store.snapshot import open_snapshot
from tests.store.published import publish


def only(reply):
    (user,) = reply["users"]
    return user


def test_a_user_is_shown_with_interests_and_lists_likeliest_first(ask_json):
    user = only(ask_json("show", "a:u1"))
    assert (user["user_id"], user["known"], user["lists_of"], user["model"]) == ("a:u1", True, "a:u1", "space_time-1")
    assert user["interests"]["long"] == [{"term": "tea", "weight": 0.8}, {"term": "茶", "weight": 0.6}]
    assert [(one["daypart"], one["context_probability"]) for one in user["lists"]] == [
        ("weekend_day", 0.7), ("weekday_night", 0.3)]  # fmt: skip
    best = user["lists"][0]["items"][0]
    assert (best["rank"], best["item_id"], best["title"], best["reason"]) == (
        1,
        "a:i1",
        "茶馆 Tea House",
        "because of a:i1",
    )
    assert best["parts"] == {"memory": 0.75, "popular": 0.25}


def test_the_text_names_context_titles_and_reasons(ask):
    code, out, _ = ask("show", "a:u1")
    assert code == 0
    assert "long: tea 0.80, 茶 0.60" in out
    assert "weekend_day · NYC · 70% of their time" in out
    assert "茶馆 Tea House" in out
    assert "because of a:i1" in out


def test_what_a_log_holds_cannot_steer_the_terminal(ask):
    out = ask("show", "a:u1")[1]
    assert "\x1b" not in out
    assert "[bold]Jazz�[31m Bar" in out


def test_the_source_may_be_left_out(ask_json):
    assert only(ask_json("show", "u1"))["user_id"] == "a:u1"
    assert only(ask_json("show", "O'Hara:2"))["user_id"] == "a:O'Hara:2"


def test_a_name_of_several_users_is_refused_with_their_ids(ask, ask_json):
    code, _, err = ask("show", "same")
    assert code == 2
    assert "'same' is the name of 2 users; give one of a:same, b:same" in err
    assert only(ask_json("show", "b:same"))["user_id"] == "b:same"


def test_an_unknown_user_gets_the_lists_of_anybody_and_is_told_so(ask, ask_json):
    user = only(ask_json("show", "nobody"))
    assert (user["known"], user["lists_of"], user["interests"]) == (False, "*", {})
    assert [(one["region"], one["items"][0]["item_id"]) for one in user["lists"]] == [("", "a:i2"), ("NYC", "a:i2")]
    assert "nobody of this name has a history here: these are the lists that anybody gets" in ask("show", "nobody")[1]


def test_a_user_of_an_earlier_night_is_no_user_of_this_one(ask_json):
    assert not only(ask_json("show", "a:gone"))["known"]
    assert only(ask_json("show", "a:gone", "--night", "2012-10-30"))["known"]


def test_a_known_user_without_a_list_gets_those_of_anybody(ask, ask_json):
    assert only(ask_json("show", "a:same"))["lists_of"] == "*"
    assert "no list of their own for this" in ask("show", "a:same")[1]


def test_anybody_can_be_asked_for(ask_json):
    user = only(ask_json("show", "*"))
    assert (user["known"], user["lists_total"]) == (True, 2)


def test_lists_can_be_chosen_by_daypart_and_region_and_number(ask, ask_json):
    chosen = only(ask_json("show", "u1", "--daypart", "weekday_night", "--region", "NYC"))
    assert [one["daypart"] for one in chosen["lists"]] == ["weekday_night"]
    few = only(ask_json("show", "u1", "--lists", "1"))
    assert (len(few["lists"]), few["lists_total"]) == (1, 2)
    assert "1 more lists: choose by --daypart and --region, or give --lists N" in ask("show", "u1", "--lists", "1")[1]
    assert [one["region"] for one in only(ask_json("show", "*", "--region", ""))["lists"]] == [""]


@pytest.mark.parametrize(
    ("option", "known"), [("--daypart", "'weekday_night', 'weekend_day'"), ("--region", "'', 'NYC'")]
)
def test_a_context_that_no_list_has_is_refused_with_those_there_are(ask, option, known):
    code, _, err = ask("show", "u1", option, "nowhere")
    assert code == 2
    assert f"no list of night 2012-10-31 is for {option[2:]} 'nowhere'; there are {known}" in err


def test_examples_are_the_users_with_the_most_events(ask_json):
    assert [user["user_id"] for user in ask_json("show", "--examples", "2")["users"]] == ["a:u1", "b:u2"]
    assert [user["user_id"] for user in ask_json("show", "u3", "--examples", "1")["users"]] == ["u3", "a:u1"]


def test_nobody_named_is_a_mistake(ask):
    code, _, err = ask("show")
    assert code == 2
    assert "show whom? Give a USER, or --examples N" in err


def test_a_night_whose_lists_were_dropped_is_told(spark, tmp_path, defaults):
    publish(spark, tmp_path, "2012-10-29", defaults, {"events": [{"event_id": "e", "user_id": "s:u"}]})
    with pytest.raises(UsageError, match=r"night 2012-10-29 has no lists .* give a later --night"):
        show(open_snapshot(tmp_path), ["u"], Wanted())
