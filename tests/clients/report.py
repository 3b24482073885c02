"""What a Python runner shares: it runs the features it was given and prints one JSON line for each.

A runner is started with one argument, a JSON object: host, port, auth_port and flush_port (absent where the proxy
takes no such configuration; `refused` says why), password, user, ca (the authority's file, when it is to speak TLS),
cluster (whether the proxy stands for a Redis Cluster), prefix (of keys) and features (what to run, in order). Lines
that it prints: {"version": TEXT}, {"start": FEATURE}, {"feature": F, "verdict": "yes" | "no" | "none", "reason": R},
and {"restart": true}, after which it waits for a line on its standard input: the proxy was killed and is back.
"""

import json
import signal
import subprocess
import sys
import time

FEATURE_SECONDS = 15


class NotInClient(Exception):
    """The client has no such thing; the text says what it lacks."""


class TooLong(Exception):
    pass


def say(**what):
    print(json.dumps(what), flush=True)


def expect(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what or 'a reply'}: {short(got)}, not {short(wanted)}")


def short(value):
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def expect_error(kinds, call, *words):
    """The call must raise one of the kinds, with a text that has one of the words (any case)."""
    try:
        got = call()
    except kinds as error:
        if words and not any(word.lower() in str(error).lower() for word in words):
            raise AssertionError(f"the error is {short(str(error))}, without {' or '.join(words)}") from None
        return
    raise AssertionError(f"no error but {short(got)}, wanted {' or '.join(words) or kinds}")


def restart_proxy():
    say(restart=True)
    sys.stdin.readline()


def until(call, errors, seconds=10):
    """Calls until it gives something true without one of the errors."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if got := call():
                return got
            last = AssertionError("nothing true")
        except errors as error:
            last = error
        if time.monotonic() > deadline:
            raise last
        time.sleep(0.02)


class Runner:
    """Features are the methods that bear their names; self.given is the JSON."""

    def __init__(self):
        self.given = json.loads(sys.argv[1])
        self.prefix = self.given["prefix"]
        self.ca = self.given.get("ca")
        self.port = self.given["port"]

    def version(self):
        raise NotImplementedError

    def port_for(self, what):
        """The port of the proxy's listener with a password ("auth") or with flush_all enabled ("flush")."""
        port = self.given.get(f"{what}_port")
        if port is None:
            raise AssertionError(self.given["refused"][what])
        return port

    def key(self, name):
        return self.prefix + name

    def main(self):
        say(version=self.version())

        def too_long(*_):
            raise TooLong(f"no end after {FEATURE_SECONDS} s")

        signal.signal(signal.SIGALRM, too_long)
        for feature in self.given["features"]:
            say(start=feature)
            call = getattr(self, feature, None)
            if call is None:
                say(feature=feature, verdict="none", reason="")
                continue
            signal.alarm(FEATURE_SECONDS)
            try:
                call()
                answer = {"verdict": "yes", "reason": ""}
            except NotInClient as error:
                answer = {"verdict": "none", "reason": str(error)}
            except subprocess.TimeoutExpired as error:
                answer = {"verdict": "no", "reason": f"no end of {error.cmd[0]} after {FEATURE_SECONDS - 1} s"}
            except Exception as error:  # noqa: BLE001 - whatever a client raises is the result
                kind = "" if isinstance(error, AssertionError | TooLong) else f"{type(error).__name__}: "
                answer = {"verdict": "no", "reason": f"{kind}{error}"}
            finally:
                signal.alarm(0)
            say(feature=feature, **answer)
