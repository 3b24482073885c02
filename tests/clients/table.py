"""The compatibility table: what is tried, of whom the cells are, how it is written, read back and compared.

A cell is yes (its test ran and passed), no (it failed, for the reason below the table) or a dash (the client has no
such thing). docs/compatibility.md is both the result that people read and what the next run is compared with.
"""

import dataclasses
import re

YES, NO, NONE = "yes", "no", "–"

REDIS = {
    "connect": "connect, PING",
    "auth": "AUTH; wrong and missing passwords refused",
    "resp3": "RESP3: HELLO 3, replies of its types",
    "strings": "strings",
    "hashes": "hashes",
    "lists": "lists",
    "sets": "sets",
    "sorted_sets": "sorted sets",
    "streams": "streams and consumer groups",
    "multi_key": "MSET, MGET, EXISTS, DEL of 200 keys of all nodes",
    "pipeline": "pipeline of 10,000 requests",
    "transactions": "MULTI, EXEC, WATCH",
    "scripts": "EVAL, SCRIPT LOAD, EVALSHA, NOSCRIPT",
    "pubsub": "SUBSCRIBE, PSUBSCRIBE, PUBLISH",
    "blocking": "BLPOP, XREAD BLOCK",
    "scan": "SCAN over all nodes, HSCAN",
    "big_values": "a value of 8 MiB",
    "binary_keys": "keys and values of any bytes",
    "introspection": "INFO, CLIENT ID, COMMAND, TIME, DBSIZE",
    "administration": "CLIENT INFO, CLIENT LIST, CONFIG GET",
    "errors": "errors of the server reach the caller, the connection goes on",
    "reconnect": "the proxy dies and comes back",
}

MEMCACHE = {
    "connect": "connect, version",
    "auth": "authentication: SASL PLAIN or as text",
    "get_set": "get, set, flags, delete",
    "add_replace": "add, replace",
    "cas": "gets, cas",
    "append": "append, prepend",
    "incr": "incr, decr",
    "touch": "touch",
    "gat": "gat",
    "multi_get": "multi-get of 1,000 keys of all nodes",
    "quiet": "noreply or quiet: 10,000 sets, then a read",
    "big_values": "a value of 4 MiB",
    "binary_values": "values of any bytes",
    "expiry": "expiry",
    "stats": "stats",
    "flush_guard": "flush_all is refused, and passes where it is enabled",
    "errors": "an item that is too large is refused, the connection goes on",
    "reconnect": "the proxy dies and comes back",
}

TOOLS = {
    "redis_benchmark": "redis-benchmark",
    "redis_benchmark_p16": "redis-benchmark -P 16",
    "redis_benchmark_cluster": "redis-benchmark --cluster",
    "memcapable_text": "memcapable -a",
    "memcapable_binary": "memcapable -b",
    "memslap_text": "memcslap",
    "memslap_binary": "memcslap --binary",
}


@dataclasses.dataclass(frozen=True)
class Cell:
    verdict: str
    reason: str = ""


@dataclasses.dataclass
class Table:
    """One table of the document. cells: by (row, column), both as shown."""

    title: str
    corner: str
    rows: list
    columns: list
    cells: dict

    def render(self):
        reasons = []
        lines = [f"### {self.title}", "", "| " + " | ".join([self.corner, *self.columns]) + " |",
                 "|" + "---|" * (len(self.columns) + 1)]
        for row in self.rows:
            words = [row]
            for column in self.columns:
                cell = self.cells[row, column]
                if cell.verdict == YES or not cell.reason:
                    words.append(cell.verdict)
                    continue
                if cell.reason not in reasons:
                    reasons.append(cell.reason)
                words.append(f"{cell.verdict} ({reasons.index(cell.reason) + 1})")
            lines.append("| " + " | ".join(words) + " |")
        lines.append("")
        lines += [f"{i}. {harmless(reason)}" for i, reason in enumerate(reasons, 1)]
        return "\n".join(lines).rstrip() + "\n"


def harmless(text):
    """Text of a program in a Markdown line, as it is."""
    return f"`{text.replace('`', chr(39))}`"


def verdicts(text):
    """The verdicts of a document, by (title, row, column)."""
    found, title, columns = {}, None, None
    for line in text.splitlines():
        if line.startswith("#"):
            title, columns = line.lstrip("# "), None
        elif line.startswith("|---"):
            continue
        elif line.startswith("|") and title:
            words = [word.strip() for word in line.strip().strip("|").split("|")]
            if columns is None:
                columns = words[1:]
                continue
            for column, word in zip(columns, words[1:], strict=True):
                if match := re.fullmatch(rf"({YES}|{NO}|{NONE})( \(\d+\))?", word):
                    found[title, words[0], column] = match.group(1)
    return found


def cells_of(tables):
    """The cells of tables by (title, row, column)."""
    return {(t.title, row, column): cell for t in tables for (row, column), cell in t.cells.items()}


def worse(known, tables):
    """The places that said yes and do not now."""
    return [place for place, cell in cells_of(tables).items() if known.get(place) == YES and cell.verdict != YES]


def compare(known, tables):
    """What a run says against the document: (cells that got worse, cells that got better, cells that differ in
    another way or are in one of the two only), each a line. Worse fails the stage."""
    now = cells_of(tables)
    lines = {"worse": [], "better": [], "strange": []}
    for place, cell in now.items():
        was = known.get(place)
        if was == cell.verdict:
            continue
        text = f"{shown(place)}: was {was or 'not in the document'}, is {cell.verdict}"
        if was == YES:
            lines["worse"].append(f"{text}: {cell.reason}")
        else:
            lines["better" if cell.verdict == YES and was else "strange"].append(text)
    lines["strange"] += [f"{shown(place)}: in the document, but not run" for place in known if place not in now]
    return lines["worse"], lines["better"], lines["strange"]


def shown(place):
    title, row, column = place
    return f"{title}: {column}: {row}"
