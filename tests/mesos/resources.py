"""Amounts of resources: thousandths of cores, MiB, and single ports."""


class Amount:
    def __init__(self, cpus=0, mem=0, disk=0, ports=()):
        self.cpus, self.mem, self.disk, self.ports = cpus, mem, disk, frozenset(ports)

    def __add__(self, other):
        return Amount(self.cpus + other.cpus, self.mem + other.mem, self.disk + other.disk, self.ports | other.ports)

    def __sub__(self, other):
        return Amount(self.cpus - other.cpus, self.mem - other.mem, self.disk - other.disk, self.ports - other.ports)

    def __bool__(self):
        return bool(self.cpus > 0 or self.mem > 0 or self.disk > 0 or self.ports)

    def __eq__(self, other):
        return self <= other and other <= self

    __hash__ = None

    def __le__(self, other):
        return (self.cpus <= other.cpus and self.mem <= other.mem and self.disk <= other.disk
                and self.ports <= other.ports)

    def ranges(self):
        found = []
        for port in sorted(self.ports):
            if found and port == found[-1]["end"] + 1:
                found[-1]["end"] = port
            else:
                found.append({"begin": port, "end": port})
        return found

    def to_json(self, role, allocated):
        """As offers have it; entries of nothing are left out."""
        tail = {"role": role, "allocation_info": {"role": allocated}}
        found = []
        if self.ports:
            found.append({"name": "ports", "type": "RANGES", "ranges": {"range": self.ranges()}, **tail})
        for name, value in (("cpus", self.cpus / 1000), ("mem", float(self.mem)), ("disk", float(self.disk))):
            if value > 0:
                found.append({"name": name, "type": "SCALAR", "scalar": {"value": value}, **tail})
        return found

    def text(self, allocated):
        """As in error texts."""
        tail = f"(allocated: {allocated})"
        parts = []
        if self.ports:
            spans = ", ".join(f"{one['begin']}-{one['end']}" for one in self.ranges())
            parts.append(f"ports{tail}:[{spans}]")
        for name, value in (("cpus", self.cpus / 1000), ("mem", self.mem), ("disk", self.disk)):
            if value > 0:
                parts.append(f"{name}{tail}:{value:g}")
        return "; ".join(parts)


def amount_of(resources, role=None):
    """Of JSON; with a role, what is kept for another one does not count."""
    total = Amount()
    for one in resources or []:
        if role is not None and one.get("role", "*") != role:
            continue
        value = one.get("scalar", {}).get("value", 0)
        if one["name"] == "ports":
            total += Amount(ports=(port for span in one["ranges"]["range"]
                                   for port in range(span["begin"], span["end"] + 1)))
        elif one["name"] == "cpus":
            total += Amount(cpus=round(value * 1000))
        elif one["name"] == "mem":
            total += Amount(mem=value)
        elif one["name"] == "disk":
            total += Amount(disk=value)
    return total
