"""Plays one row: the load runs, the fault comes, is felt, ends, and everything must be as before."""

import time

from load import Load
from stage import Stage


def play(row, kind, io):
    """What was seen. Raises Failed (or whatever else went wrong)."""
    stage = Stage(kind, io, row)
    try:
        load = Load(kind, stage.address, row.backends, stage.node_of, big=row.big)
        if row.late:
            load.allow(row.victims, row.errors, row.loses)
        load.start()
        if not row.late:
            load.progress(50)
            load.swept()
        begin = load.total()
        load.allow(row.victims, row.errors, row.loses)
        hurt = row.hurt(stage, load)
        next(hurt)
        if row.felt:
            load.until(lambda: load.error_count() >= row.felt, 30, "errors of the backend that is hurt")
        load.progress(row.answers)
        end = next(hurt, "ended")
        if end != "ended":
            raise AssertionError(f"{row.name} yields more than once")
        took = load.recovered(row.victims or range(row.backends), time.monotonic(), row.within, row.watch)
        answers = load.total() - begin
        load.stop()
        stage.proxy.stop()
        return {"recovered": round(took, 2), "answers": answers, "errors": load.errors, "slowest": round(load.slowest, 2),
                "figure": stage.figure}
    except BaseException:
        if stage.proxy is not None and stage.proxy.child is not None:
            print("---- the proxy said\n" + stage.proxy.output()[-3000:])
        raise
    finally:
        stage.close()
