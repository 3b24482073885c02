"""What a run of the matrix prints and writes."""

import pathlib

import harness
from rows import BY_NAME, ROWS

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- matrix: written by ./dev faults --write -->", "<!-- end of the matrix -->"


def name_of(result):
    return f"{result['row']} {result['kind']} {result['io']}"


def progress(result, tries):
    verdict = "FAILED" if result["failed"] else "ok"
    seen = ", ".join(f"{n} x {text}" for text, n in sorted(result.get("errors", {}).items()))
    print(f"{verdict:6} {name_of(result):38} {result['seconds']:5.1f} s  recovered in {result.get('recovered', '-')} s, "
          f"{result.get('answers', 0)} answers  {result.get('figure') or ''} {seen}" + (" (second try)" if tries > 1 else ""), flush=True)
    if result["failed"]:
        print(f"       {result['failed']}\n{result.get('output', '')}", flush=True)


def table(results, skipped):
    bad = [r for r in results if r["failed"]]
    again = [r for r in results if not r["failed"] and r.get("tries", 1) > 1]
    print(f"\n{len(results)} runs, {sum(r.get('answers', 0) for r in results)} answers checked, {len(bad)} runs failed")
    for name, why in skipped.items():
        print(f"    skipped: {name}: {why}")
    for one in again:
        print(f"    passed only when run again: {name_of(one)}")
    for one in bad:
        print(f"    FAILED: {name_of(one)}: {one['failed']}")


def verdicts(path, results, skipped):
    """One line for each run, for ./dev test."""
    lines = [f"{'failed' if r['failed'] else 'ok' if r.get('tries', 1) == 1 else 'again'} {name_of(r)}" for r in results]
    lines += [f"skipped {name}: {why}" for name, why in skipped.items()]
    path.write_text("\n".join(lines) + "\n")


def write(results, skipped):
    """Puts the table between the markers of docs/reliability.md. A row that was skipped or failed says so."""
    lines = ["| row | what is hurt | what clients see while it lasts | served again after | answers checked |",
             "|---|---|---|---|---|"]
    for row in ROWS:
        mine = [r for r in results if r["row"] == row.name]
        if row.name in skipped:
            after, answers = f"not run: {skipped[row.name]}", "-"
        elif not mine or any(r["failed"] for r in mine):
            after, answers = ("**failed**" if mine else "not run"), "-"
        else:
            after = after_text(row, max(r["recovered"] for r in mine))
            if row.figure:
                after += "; " + row.figure.format(max(r["figure"] for r in mine))
            answers = f"{sum(r['answers'] for r in mine):,}"
        lines.append(f"| `{row.name}` | {row.what} | {row.sees} | {after} | {answers} |")
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    total = sum(r.get("answers", 0) for r in results)
    wrong = sum(1 for r in results if r["failed"])
    drivers = " and ".join(harness.io_drivers())
    note = f"\n{len(results)} runs on {drivers}, {total:,} answers checked while something was hurt; runs that failed: "
    again = sum(1 for r in results if r.get("tries", 1) > 1)
    note += f"{wrong}, that passed only on a second try: {again}.\n"
    PAGE.write_text(head + BEGIN + "\n" + "\n".join(lines) + "\n" + note + END + tail)


def after_text(row, seconds):
    if not BY_NAME[row.name].errors:
        return "no error at any time"
    return f"{seconds:.1f} s"
