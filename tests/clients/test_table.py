"""The comparison of the compatibility suite can fail, and what it writes it can read."""

from table import NO, NONE, YES, Cell, Table, compare, verdicts


def made(first, second):
    return Table("a target", "feature", ["one thing", "another"], ["a client"],
                 {("one thing", "a client"): first, ("another", "a client"): second})


def test_what_is_written_is_read():
    text = "# Compatibility\n\n| other | table |\n|---|---|\n| not | a verdict |\n\n" + made(
        Cell(NO, "ERR `what`"), Cell(NONE, "has none")).render()
    assert "1. `ERR 'what'`" in text and "2. `has none`" in text
    assert verdicts(text) == {("a target", "one thing", "a client"): NO, ("a target", "another", "a client"): NONE}


def test_a_cell_that_got_worse_is_named_with_its_reason():
    known = verdicts(made(Cell(YES), Cell(YES)).render())
    worse, better, strange = compare(known, [made(Cell(YES), Cell(NO, "ERR gone"))])
    assert len(worse) == 1 and "another" in worse[0] and "ERR gone" in worse[0] and not better + strange
    worse, _, _ = compare(known, [made(Cell(NONE), Cell(YES))])
    assert len(worse) == 1 and "one thing" in worse[0]


def test_a_cell_that_got_better_is_told_apart():
    known = verdicts(made(Cell(NO, "not yet"), Cell(NO, "not yet")).render())
    worse, better, strange = compare(known, [made(Cell(YES), Cell(NO, "another reason"))])
    assert not worse and not strange and len(better) == 1 and "one thing" in better[0]


def test_cells_of_one_side_only_are_told():
    here = made(Cell(YES), Cell(YES))
    assert [len(lines) for lines in compare({}, [here])] == [0, 0, 2]
    assert [len(lines) for lines in compare(verdicts(here.render()), [])] == [0, 0, 2]
