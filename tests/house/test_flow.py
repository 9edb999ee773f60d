"""What the flow says of the stages is what their jobs do, and what README draws."""

from __future__ import annotations

import ast
import re

import pytest

from chronotope.flow import BY_NAME, STAGES
from chronotope.tables import TABLES
from tests.house.source import JOBS, ROOT, tree

ARROW = re.compile(r"^ +(\w+) -->\|(.+)\| (\w+)$", re.MULTILINE)
ARROWS = ARROW.findall((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_names_the_tables_that_its_stage_takes_and_gives(stage):
    nodes = list(ast.walk(tree(JOBS / f"{stage}.py")))
    words = {node.value for node in nodes if isinstance(node, ast.Constant)}
    words -= {word.value for node in nodes if is_scratch(node) for word in node.args if isinstance(word, ast.Constant)}
    of = BY_NAME[stage]
    declared = {*of.takes, *of.gives}
    assert words & TABLES.keys() <= declared
    assert declared - words <= {"models"}  # read as files, from the folder that the night knows
    assert len(of.takes) == len(set(of.takes))


def is_scratch(node):
    """Whether something is written aside, under a name of its own, and lies there."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and "scratch" in node.func.attr


@pytest.mark.parametrize(("start", "names", "end"), [of for of in ARROWS if {of[0], of[2]} <= set(STAGES)])
def test_an_arrow_of_readme_carries_what_one_stage_gives_and_the_other_takes(start, names, end):
    carried = {name for name in names.split(", ") if name in TABLES}
    assert carried <= {*BY_NAME[start].gives} & {*BY_NAME[end].takes}
    assert carried


def test_readme_draws_every_stage():
    assert {end for _, _, end in ARROWS} >= set(STAGES) - {"ingest"}  # to which a log goes
