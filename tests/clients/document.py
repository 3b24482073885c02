"""docs/compatibility.md: the tables of a run, and the words around them."""

import pathlib

import clients
from table import NO, NONE, Cell, Table

PATH = pathlib.Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"

HEAD = """# Compatibility

Which clients work with this version, by test: `./dev test clients` starts real servers, the proxy before them, and
each client in a process of its own that goes through a common scenario. This file is written by
`./dev test clients --write` and is what later runs are compared with: a cell that said yes and no longer does fails
the stage.

- **yes**: the test of this client, feature and target ran and passed.
- **no (n)**: it failed; n is the error, below the table.
- **–**: the client has no such thing (n says what, where that is not plain).

Targets: **memcached** is 3 memcached behind a ketama ring, **redis** is 3 redis-server behind a ketama ring,
**redis cluster** is a Redis Cluster of 3 masters and 3 replicas. **TLS** is between the client and the proxy. The tests
are in `tests/clients`; clients come from Debian 12 or, locked to a version, from npm, with the Node they need. Debian
has neither Jedis nor lettuce nor go-redis, so these are not driven.
"""


def title_of(run):
    """The table that a run's cells are in."""
    if run.client.tool:
        return f"Tools of {run.client.kind}"
    return f"{run.target.title}: cluster clients" if run.client.cluster else run.target.title


def places(run):
    """Where the cells of a run are: (title, row, column) by feature."""
    title = title_of(run)
    if run.client.tool:  # one row for each target, one column for each check
        return {feature: (title, run.target.title, shown) for feature, shown in run.client.tool.items()}
    return {feature: (title, shown, run.client.title) for feature, shown in run.client.features.items()}


def tables(runs):
    """The tables of the runs: by target with clients as columns; clients of clusters, and tools, in tables apart.
    A check of a tool that is not for a target has a dash."""
    cells = {place: run.cells.get(feature, Cell(NO, "not run")) for run in sorted(runs, key=order)
             for feature, place in places(run).items()}
    made = []
    for title in dict.fromkeys(title_of(run) for run in sorted(runs, key=table_order)):
        rows = list(dict.fromkeys(row for t, row, _ in cells if t == title))
        columns = list(dict.fromkeys(column for t, _, column in cells if t == title))
        made.append(Table(title, "target" if title.startswith("Tools") else "feature", rows, columns,
                          {(row, column): cells.get((title, row, column), Cell(NONE))
                           for row in rows for column in columns}))
    return made


def table_order(run):
    """Tables by target, those of clusters' clients behind their target's, tools last."""
    return bool(run.client.tool), run.target.number, run.client.cluster


def order(run):
    return clients.ALL.index(run.client), run.target.number


def versions(runs):
    """A line for each client."""
    lines, seen = [], set()
    for run in sorted(runs, key=order):
        if run.client.title in seen or not run.version:
            continue
        seen.add(run.client.title)
        note = f" ({run.client.note})" if run.client.note else ""
        lines.append(f"- {run.client.title}: {run.version}{note}")
    return "\n".join(lines)


def render(made, runs):
    parts = [HEAD, "## Clients\n\n" + versions(runs) + "\n", "## Results\n"]
    parts += [t.render() for t in made]
    return "\n".join(parts)
