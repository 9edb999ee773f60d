"""Where the processes of a cluster have their code and their Python from; run by spark-submit."""

import json
import os
import sys
from pathlib import Path

import chronotope
from chronotope.store.session import open_session


def here():
    import chronotope as found

    return [found.__file__, sys.executable, os.environ.get("PYTHONPATH", "").split(os.pathsep)]


if __name__ == "__main__":
    spark = open_session("probe", Path(sys.argv[1]))
    executors = spark.sparkContext.parallelize(range(16), 16).map(lambda _: here()).collect()
    Path(sys.argv[2]).write_text(json.dumps({"driver": [chronotope.__file__, sys.executable], "executors": executors}))
    spark.stop()
