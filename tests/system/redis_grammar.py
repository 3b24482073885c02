"""Random calls of every redis command, made from the grammar that the server tells in COMMAND DOCS.

Calls are mostly valid; some lack an argument, have one too many, or one of the wrong kind. The same seed gives the same
calls. Values are few and small, so that calls meet the data of earlier ones.
"""

import random

NUMBERS = ["0", "1", "2", "3", "-1", "10", "100"]
DOUBLES = ["0", "1.5", "-2", "3e2", "(1", "-inf", "+inf"]
MEMBERS = ["1", "2", "3", "17", "25", "a", "b", "field"]
PATTERNS = ["*", "k*", "?", "[ab]*", "nothing"]
LEX = ["-", "+", "[a", "(b"]
IDS = ["0", "1-1", "2-0", "5-1", "$", "9-9"]
KINDS = ("string", "number", "list", "set", "zset", "hash", "stream", "geo", "none")
GROUP_KIND = {"string": "string", "list": "list", "set": "set", "sorted-set": "zset", "hash": "hash", "stream": "stream",
              "geo": "geo", "bitmap": "string", "hyperloglog": "none"}
WRONG = ["", "x", "999999999999999999999", "-0", "1e400", "\x00\xff", "KEY", "nan", " 1"]


def pairs(flat):
    return {k.decode() if isinstance(k, bytes) else k: v for k, v in zip(flat[::2], flat[1::2])}


def text(value):
    return value.decode() if isinstance(value, bytes) else value


class Argument:
    def __init__(self, flat):
        facts = pairs(flat)
        self.name = text(facts["name"])
        self.type = text(facts["type"])
        self.token = text(facts["token"]) if "token" in facts else None
        flags = [text(f) for f in facts.get("flags", [])]
        self.optional = "optional" in flags
        self.multiple = "multiple" in flags
        self.multiple_token = "multiple_token" in flags
        self.parts = [Argument(a) for a in facts.get("arguments", [])]


class Grammar:
    def __init__(self, docs, seed):
        """docs: the reply to COMMAND DOCS."""
        self.random = random.Random(seed)
        self.commands = {}
        for name, facts in pairs(docs).items():
            self._add(name, pairs(facts))

    def _add(self, name, facts):
        group = text(facts.get("group", b""))
        if "subcommands" in facts:
            for sub, sub_facts in pairs(facts["subcommands"]).items():
                self._add(sub, pairs(sub_facts))
        else:
            self.commands[name] = (group, [Argument(a) for a in facts.get("arguments", [])])

    def call(self, name):
        group, arguments = self.commands[name]
        words = name.upper().split("|")
        named = len(words)
        for argument in arguments:
            words += self._words(argument, group)
        chance = self.random.random()
        if chance < 0.04 and len(words) > named:
            words.pop()
        elif chance < 0.07:
            words.append(self.random.choice(MEMBERS))
        elif chance < 0.14 and len(words) > named:
            words[self.random.randrange(named, len(words))] = self.random.choice(WRONG)
        return words

    def _words(self, argument, group):
        if argument.optional and self.random.random() < 0.6:
            return []
        times = self.random.choice((1, 1, 2, 3)) if argument.multiple else 1
        words = []
        for n in range(times):
            if argument.token and argument.type != "pure-token" and (n == 0 or argument.multiple_token):
                words.append(argument.token)
            words += self._value(argument, group)
        return words

    def _value(self, argument, group):
        choice = self.random.choice
        name = argument.name
        if argument.type == "pure-token":
            return [argument.token]
        if argument.type == "oneof":
            return self._words(choice(argument.parts), group)
        if argument.type == "block":
            return [word for part in argument.parts for word in self._words(part, group)]
        if argument.type == "key":
            own = GROUP_KIND.get(group, "none")
            return ["{k}" + (own if self.random.random() < 0.75 else choice(KINDS)) + choice(("", "", "2"))]
        if argument.type == "double":
            return [choice(DOUBLES)]
        if argument.type == "pattern":
            return [choice(PATTERNS)]
        if argument.type == "unix-time":
            return [choice(("9999999999", "9999999999999"))]
        if argument.type == "integer":
            if name in ("seconds", "milliseconds"):
                return [choice(("1000000", "2000000", "0", "-1"))]
            return [choice(NUMBERS)]
        if name in ("min", "max") and self.random.random() < 0.6:
            return [choice(LEX)]
        if "id" in name or name in ("start", "end", "min", "max"):
            return [choice(IDS if group == "stream" else NUMBERS)]
        # Sets of numbers have an order of their own; others have a random one in each server.
        return [choice(MEMBERS[:5] if group == "set" else MEMBERS)]
